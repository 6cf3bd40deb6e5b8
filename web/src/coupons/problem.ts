// What somebody reads whose coupon is refused.

import { Disconnected, Refusal } from "../api/http";
import { common, coupons } from "../messages/en";

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

export function wordsFor(cause: unknown): string {
  if (cause instanceof Disconnected) return common.offline;
  if (!(cause instanceof Refusal)) return common.trouble;
  if (cause.code === "rate-limited") return common.tooOften;
  return couponProblem(cause.code, cause.retryAfter) ?? (cause.message || common.trouble);
}
