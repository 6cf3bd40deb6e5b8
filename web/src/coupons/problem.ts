// What somebody reads whose coupon is refused.

import { coupons } from "../messages/en";
import { problemOf } from "../messages/problem";

const { problem } = coupons;

const known: Record<string, string> = {
  "coupon-unknown": problem.unknown,
  "coupon-none-left": problem.none,
  "coupon-limit": problem.limit,
  "coupon-over": problem.over,
  "coupon-sold": problem.sold,
  "coupon-expired": problem.expired,
  "coupon-withdrawn": problem.withdrawn,
  "coupon-used": problem.used,
  "coupon-reserved": problem.reserved,
  "coupon-one": problem.one,
  "coupon-elsewhere": problem.elsewhere,
  "coupon-minimum": problem.minimum,
  "coupon-no-ticket": problem.noTicket,
  "coupon-collected": problem.collected,
  "coupon-taken-off": problem.takenOff,
};

/** undefined for a refusal that is about something else. */
export function couponProblem(code: string, retryAfter = 60): string | undefined {
  return code === "coupon-guesses" ? problem.guesses(retryAfter) : known[code];
}

export const wordsFor = (cause: unknown) => problemOf(cause, (refusal) => couponProblem(refusal.code, refusal.retryAfter));
