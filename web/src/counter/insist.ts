// A request that does one thing however often it comes is sent again when its answer
// is lost, or when the server cannot say yet.

import type { Sale } from "../api/counter";
import { Disconnected, Refusal } from "../api/http";

/** A sale under way: the same key and body again are the same order. */
export interface Open {
  performance: string;
  key: string;
  sale: Sale;
}

const pauses = [500, 1_000, 2_000];

/** Sends until there is an answer that is final, a few times at most; asks says whether it is being sent again. */
export async function insist<T>(send: () => Promise<T>, asks: (again: boolean) => void, pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))): Promise<T> {
  try {
    for (let lost = 0; ; lost++) {
      try {
        return await send();
      } catch (cause) {
        const unclear = cause instanceof Disconnected || (cause instanceof Refusal && (cause.status >= 500 || cause.code === "payment-running"));
        const wait = pauses[lost];
        if (!unclear || wait === undefined) throw cause;
        asks(true);
        await pause(Math.max(wait, 1_000 * ((cause instanceof Refusal && cause.retryAfter) || 0)));
      }
    }
  } finally {
    asks(false);
  }
}
