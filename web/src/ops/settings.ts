// How settings, and what was changed of them, are written for people. Pure.

import type { Auto, Live, Settings } from "../api/documents";
import { ops as words } from "../messages/en";
import { count, timeOfDay } from "../messages/format";

const fields = ["mode", "cap", "rate", "session", "claim", "shares", "min_cap", "max_cap", "min_rate", "max_rate", "auto"] as const;
type Field = (typeof fields)[number];
const known = (field: string): field is Field => (fields as readonly string[]).includes(field);

/** cap 200, mode Pause */
export const written = (set: Settings) =>
  Object.entries(set)
    .map(([field, value]) => `${name(field)} ${valueOf(field, value)}`)
    .join(", ");

/** cap 100 → 200, of what is in now. */
export const changes = (was: Record<string, unknown>, now: Record<string, unknown>) =>
  Object.entries(now)
    .map(([field, value]) => `${name(field)} ${valueOf(field, was[field])} → ${valueOf(field, value)}`)
    .join(", ");

/** What of a sale's settings is another one than it was; "" is nothing. */
export function difference(was: Live, now: Live): string {
  const moved = fields.filter((field) => JSON.stringify(was[field]) !== JSON.stringify(now[field]));
  return changes(was as unknown as Record<string, unknown>, Object.fromEntries(moved.map((field) => [field, now[field]])));
}

/** 19:00:05 today, with its date on another day. */
export function when(at: string, now = new Date()): string {
  const date = new Date(at);
  const day = new Intl.DateTimeFormat(globalThis.navigator?.language, { day: "numeric", month: "short", year: date.getFullYear() === now.getFullYear() ? undefined : "numeric" });
  return date.toDateString() === now.toDateString() ? timeOfDay(date) : `${day.format(date)}, ${timeOfDay(date)}`;
}

const name = (field: string) => (known(field) ? words.setting[field] : field);

function valueOf(field: string, value: unknown): string {
  if (field === "auto") return value == null || !(value as Auto).on ? words.settingOff : aim(value as Auto);
  if (field === "mode" && typeof value === "string") return words.mode.name[value as keyof typeof words.mode.name] ?? value;
  if (value == null) return "–";
  if (typeof value === "number") return count(value);
  if (typeof value === "object") return Object.entries(value).map(([key, each]) => `${key} ${valueOf("", each)}`).join(" ");
  return String(value);
}

/** What the automatic mode aims at; what was left out is as it usually is. */
function aim(auto: Partial<Auto>): string {
  const share = (n?: number) => (n === undefined ? undefined : count(Math.round(10_000 * n) / 100));
  return words.settingAuto(auto.target_ms, share(auto.slow), share(auto.errors), auto.in_flight);
}
