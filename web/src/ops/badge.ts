// An account opens the operations for a quarter of an hour at a time, by the word of a booking
// core. The page has it renewed at half of that, so that a core may be away for the rest.

import { useEffect, useState } from "preact/hooks";
import * as api from "../api/ops";
import { Refusal } from "../api/http";

/** What came of asking for another: it is there; nobody is signed in; accounts do not open this; a second factor is missing; it is not an SRE's; nobody answers. */
export type Came = "in" | "out" | "off" | "second" | "other" | "away";

const byCode: Record<string, Came> = { "badges-off": "off", "accounts-off": "off", "second-factor-needed": "second", "sre-required": "other" };

export async function renew(): Promise<Came> {
  try {
    await api.badge();
    return "in";
  } catch (cause) {
    return came(cause);
  }
}

export function came(cause: unknown): Came {
  if (!(cause instanceof Refusal) || cause.status >= 500 || cause.status === 429) return "away";
  return byCode[cause.code] ?? "out";
}

/** In seconds. */
const half = 450;
/** After no answer, in ms. */
const again = 10_000;

/** In how many ms to look again at what ends in so many seconds, and what came of renewing it; undefined: there is nothing to wait for. */
export function pause(left: number, renewed: Came | undefined): number | undefined {
  if (renewed === undefined) return 1000 * (left - half);
  if (renewed === "in") return 1000; // to read when that one ends
  return renewed === "away" ? again : undefined;
}

/** Renews what an account is let in by while the page is open. ends: when it does, once it could not be renewed. */
export function useBadge(open: boolean): { by: "key" | "account" | undefined; ends: Date | undefined } {
  const [by, setBy] = useState<"key" | "account">();
  const [ends, setEnds] = useState<Date>();
  useEffect(() => {
    setEnds(undefined);
    if (!open) return;
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<number | undefined> => {
      const found = await api.signedIn();
      if (gone) return undefined;
      setBy(found.by);
      const { left } = found;
      if (left === undefined) return undefined;
      if (left > half) {
        setEnds(undefined);
        return pause(left, undefined);
      }
      const now = await renew();
      if (gone) return undefined;
      if (now !== "in") setEnds(new Date(Date.now() + 1000 * left));
      return pause(left, now);
    };
    const next = async () => {
      const wait = await look().catch(() => again); // the page itself says that nobody answers
      if (!gone && wait !== undefined) timer = setTimeout(() => void next(), wait);
    };
    void next();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [open]);
  return { by, ends };
}
