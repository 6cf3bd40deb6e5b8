import { useEffect, useReducer } from "preact/hooks";

/** After no answer, in ms. */
export const soon = 3_000;

/**
 * Asks as long as the page is there, and whenever it comes into sight. ask says in how many ms
 * to ask again, a tenth more or less; undefined: not by itself. Once over() is true, its answer is about
 * something that is not shown any more. unseen: a page out of sight asks, too.
 * What it returns asks at once.
 */
export function useAsking(ask: (over: () => boolean) => Promise<number | undefined>, of: unknown[], unseen = false): () => void {
  const [asked, again] = useReducer((n: number, _action: void) => n + 1, 0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const next = async () => {
      clearTimeout(timer);
      const wait = await ask(() => over);
      if (over || wait === undefined) return;
      clearTimeout(timer); // of another that came into sight meanwhile
      timer = setTimeout(() => (unseen || visible()) && void next(), wait * (0.9 + Math.random() * 0.2));
    };
    const seen = () => visible() && void next();
    void next();
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [...of, asked]);
  return () => again();
}

const visible = () => document.visibilityState === "visible";
