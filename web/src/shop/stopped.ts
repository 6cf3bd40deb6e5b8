// What somebody reads who has to wait, or is blocked: why, for how long, and what to do.

import type { Refusal } from "../api/http";
import { shop } from "../messages/en";

const { slowed, blocked } = shop.problem;
const has = <T extends object>(all: T, key: string): key is keyof T & string => Object.hasOwn(all, key);

/** undefined for a refusal that is something else. */
export function stopped(cause: Refusal): string | undefined {
  const [kind = "", what = ""] = cause.code.split("-");
  const wait = Math.ceil(cause.retryAfter ?? 60);
  if (kind === "slowed" && has(slowed, what)) return slowed[what](wait);
  if (kind === "blocked" && has(blocked, what)) return blocked[what](wait, cause.reference);
  return undefined;
}
