// Pays for a hold once, however often it has to ask: every repeat goes out
// under the same key until the answer is final.

import type { Order } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { shop as words } from "../messages/en";
import { Unclear } from "../messages/problem";
import { attemptFor, forgetAttempt } from "./attempt";

/** Lost answers before the fan is told that it is unclear. */
const tries = 3;
/** An attempt that died is closed within 35 s; asking every 2 s comes to know of it. */
const patience = 40_000;
/** Where the server gives no advice. */
const pause = 2;

/** With these nothing is charged and nothing more will be: the next try needs a new key. */
const over = ["payment-declined", "payment-failed", "payment-unavailable", "slowed-card", "blocked-card", "card-limit",
  "coupon-expired", "coupon-withdrawn", "coupon-no-ticket", "coupon-taken-off"];

export type Send = (attempt: string) => Promise<Order>;

export async function charge(send: Send, hold: string, email: string, method: string): Promise<Order> {
  const attempt = attemptFor(hold, email, method);
  const until = Date.now() + patience;
  for (let lost = 0; ; ) {
    try {
      return await send(attempt);
    } catch (cause) {
      if (cause instanceof Disconnected) {
        if (++lost < tries) continue;
        throw new Unclear(words.problem.unclear);
      }
      if (!(cause instanceof Refusal)) throw cause;
      if (cause.code === "payment-running" && Date.now() < until) {
        await new Promise((done) => setTimeout(done, 1_000 * (cause.retryAfter ?? pause)));
        continue;
      }
      if (over.includes(cause.code)) forgetAttempt(hold);
      throw cause;
    }
  }
}
