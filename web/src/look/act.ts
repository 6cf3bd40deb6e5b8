import { useRef, useState } from "preact/hooks";
import type { Refusal } from "../api/http";
import { problemOf } from "../messages/problem";

/** What somebody does on a page: one thing at a time, and what went wrong. ours: the page's own words for a refusal; lost: where there was no answer. */
export function useAct(ours: (refusal: Refusal) => string | undefined, lost: string) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const running = useRef(false); // two clicks of one frame
  const act = async (todo: () => Promise<void>): Promise<void> => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setProblem("");
    try {
      await todo();
    } catch (cause) {
      setProblem(problemOf(cause, ours, lost));
    }
    running.current = false;
    setBusy(false);
  };
  return { busy, problem, setProblem, act };
}
