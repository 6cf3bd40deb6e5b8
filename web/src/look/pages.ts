import { useEffect, useRef, useState } from "preact/hooks";
import { unanswered } from "../messages/problem";
import { soon, useAsking } from "./asking";

/** A page of a list, as the server gives it. */
export interface Part<T> {
  list: T[];
  next: string | undefined;
}

/** The first pages of a list, and where it goes on, "" at its end; undefined: it is over meanwhile. */
export async function upTo<T>(pages: number, read: (cursor: string) => Promise<Part<T>>, over: () => boolean): Promise<{ list: T[]; next: string } | undefined> {
  const list: T[] = [];
  let next = "";
  for (let page = 0; page === 0 || (page < pages && next !== ""); page++) {
    const got = await read(next);
    if (over()) return undefined;
    list.push(...got.list);
    next = got.next ?? "";
  }
  return { list, next };
}

/**
 * A list that is read page by page, and anew, as far as somebody has come, whenever the page
 * comes into sight or look is called. again says in how many ms to do so by itself; refused
 * whether what went wrong is seen to: else it is said, and tried again. While of is another
 * the list is another, and begins with its first page.
 */
export function usePages<T>(read: (cursor: string) => Promise<Part<T>>, of: unknown[], then: { again?: (list: T[]) => number | undefined; refused?: (cause: unknown) => boolean } = {}) {
  const [list, setList] = useState<T[]>();
  const [next, setNext] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(true);
  const pages = useRef(1); // that are shown
  useEffect(() => {
    pages.current = 1;
  }, of);
  const look = useAsking(async (over) => {
    setBusy(true);
    try {
      const all = await upTo(pages.current, read, over);
      if (all === undefined) return;
      setList(all.list);
      setNext(all.next);
      setProblem("");
      setBusy(false);
      return then.again?.(all.list);
    } catch (cause) {
      if (over()) return;
      setBusy(false);
      if (then.refused?.(cause)) return;
      setProblem(unanswered(cause));
      return soon;
    }
  }, of);
  const more = () => {
    pages.current++;
    look();
  };
  return { list, setList, problem, busy, look, more: next === "" ? undefined : more };
}
