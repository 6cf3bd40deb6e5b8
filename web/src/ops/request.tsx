import { useRef, useState } from "preact/hooks";
import { Refusal } from "../api/http";
import { common, ops as words } from "../messages/en";

/** What came of a request. The number tells it from the same words said before. */
interface Word {
  text: string;
  wrong: boolean;
  number: number;
}

/**
 * Runs one request at a time; what it says, or what is done by it, is shown beside the button. A button is
 * not disabled meanwhile: a browser takes the focus from one that is, and whoever
 * works with the keyboard would be back at the top of the page.
 */
export function useRequest() {
  const busy = useRef(false);
  const [said, set] = useState<Word>({ text: "", wrong: false, number: 0 });
  const say = (text: string, wrong: boolean) => set((before) => ({ text, wrong, number: before.number + 1 }));
  const run = async (request: () => Promise<string | void>, done: string, explain?: (refusal: Refusal) => Promise<string | undefined>) => {
    if (busy.current) return;
    busy.current = true;
    try {
      say((await request()) ?? done, false);
    } catch (cause) {
      const own = cause instanceof Refusal ? await explain?.(cause).catch(() => undefined) : undefined;
      say(own ?? (cause instanceof Refusal ? words.refused(cause.message || cause.code) : common.offline), true);
    }
    busy.current = false;
  };
  /** What is wrong with a form, and the name of the field to mend. */
  const wrong = (text: string, field?: string) => {
    say(text, true);
    if (field) document.getElementsByName(field)[0]?.focus();
  };
  return { said, wrong, run };
}

/** Said by screen readers, too, also when it is the same again: it is another node then. */
export function Said({ said }: { said: Word }) {
  return (
    <p class={`said ${said.wrong ? "wrong" : "note"}`} role="status">
      <span key={said.number}>{said.text}</span>
    </p>
  );
}
