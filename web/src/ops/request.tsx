import { useState } from "preact/hooks";
import { Refusal } from "../api/http";
import { common, ops as words } from "../messages/en";

/** Runs one request at a time; what it says is shown beside the button. */
export function useRequest() {
  const [busy, setBusy] = useState(false);
  const [said, say] = useState({ text: "", wrong: false });
  const run = async (request: () => Promise<void>, done: string, explain?: (refusal: Refusal) => Promise<string | undefined>) => {
    if (busy) return;
    setBusy(true);
    try {
      await request();
      say({ text: done, wrong: false });
    } catch (cause) {
      const own = cause instanceof Refusal ? await explain?.(cause).catch(() => undefined) : undefined;
      say({ text: own ?? (cause instanceof Refusal ? words.refused(cause.message || cause.code) : common.offline), wrong: true });
    }
    setBusy(false);
  };
  const wrong = (text: string) => say({ text, wrong: true });
  return { busy, said, wrong, run };
}

export function Said(props: { said: { text: string; wrong: boolean } }) {
  return (
    <p class={`said ${props.said.wrong ? "wrong" : "note"}`} role="status">
      {props.said.text}
    </p>
  );
}
