// What somebody reads when something went wrong.

import { Disconnected, Refusal } from "../api/http";
import { common } from "./en";

/** Nobody knows whether something was done. The message is for people. */
export class Unclear extends Error {}

/** ours: the page's own words for a refusal, if it has any; lost: where there was no answer. */
export function problemOf(cause: unknown, ours: (refusal: Refusal) => string | undefined, lost = common.offline): string {
  if (cause instanceof Disconnected) return lost;
  if (cause instanceof Unclear) return cause.message;
  if (!(cause instanceof Refusal)) {
    console.error(cause); // a mistake of ours
    return common.trouble;
  }
  return ours(cause) ?? (cause.code === "rate-limited" ? common.tooOften : cause.message || common.trouble);
}

/** Of a question that is asked again by itself. */
export const unanswered = (cause: unknown) => (cause instanceof Refusal && cause.code === "rate-limited" ? common.tooOften : common.offline);
