// When something is, by the clocks where it is.

import { language } from "./format.ts";

/** Saturday, 27 March 2027 at 21:00, in Lisbon if it is there. */
export function localMoment(at: string, zone: string): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: "full", timeStyle: "short", timeZone: known(zone) }).format(new Date(at));
}

/** Sat, 27 Mar 2027, 21:00. */
export function localShort(at: string, zone: string): string {
  return new Intl.DateTimeFormat(language(), { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit", timeZone: known(zone) }).format(new Date(at));
}

/** 21:00. */
export function localHour(at: string, zone: string): string {
  return new Intl.DateTimeFormat(language(), { timeStyle: "short", timeZone: known(zone) }).format(new Date(at));
}

/** Whether the clocks there show the same as the reader's, at that time. */
export function sameClock(at: string, zone: string): boolean {
  const told = (timeZone?: string) => new Intl.DateTimeFormat("en", { dateStyle: "short", timeStyle: "short", ...(timeZone ? { timeZone } : {}) }).format(new Date(at));
  return told(known(zone)) === told();
}

/** Browsers know fewer zones than servers. */
function known(zone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}
