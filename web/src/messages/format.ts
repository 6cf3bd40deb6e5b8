// How numbers, money, times and spans of time are written in the language of
// the page. Everything goes through Intl, so another language needs words only.

import type { Money } from "../api/documents";

/** The reader's own variety of the page's language: 19:00 in en-GB, 7:00 PM in en-US. */
export function language(): string {
  const page = globalThis.document?.documentElement.lang || "en";
  return globalThis.navigator?.languages?.find((each) => each === page || each.startsWith(`${page}-`)) ?? page;
}

/** 4,210 */
export function count(n: number): string {
  return new Intl.NumberFormat(language()).format(n);
}

/** €45.00, from minor units: how many make one is the currency's affair. */
export function money(m: Money): string {
  const format = new Intl.NumberFormat(language(), { style: "currency", currency: m.currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(m.amount / 10 ** digits);
}

/** 1:05, or 2:01:05 from an hour on; never negative. */
export function clock(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Tuesday, 1 December 2026, 19:00 in the reader's time zone. */
export function moment(at: string): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: "full", timeStyle: "short" }).format(new Date(at));
}

/** 19:00 in the reader's time zone. */
export function hour(at: string): string {
  return new Intl.DateTimeFormat(language(), { timeStyle: "short" }).format(new Date(at));
}

/** 19:00:05 in the reader's time zone. */
export function timeOfDay(at: Date): string {
  return new Intl.DateTimeFormat(language(), { timeStyle: "medium" }).format(at);
}

/** Picks the form of a word that goes with n. */
export function plural(n: number, forms: { one: string; other: string }): string {
  return new Intl.PluralRules(language()).select(n) === "one" ? forms.one : forms.other;
}
