// What the page of a ticket says below it.

import type { Passes } from "../api/documents";
import { ticket as words } from "../messages/en";
import { period } from "./code";

/** Of giving a ticket to somebody else. Who was given one reads above until when they may give it on: "". */
export function givingNote({ give_until: until, now, offer, for: show }: Pick<Passes, "give_until" | "now" | "offer" | "for">): string {
  if (until === undefined) return words.ungiven.never;
  if (Date.parse(until) <= Date.parse(now)) return words.ungiven.over;
  return offer ? "" : words.give(until, show.time_zone);
}

/** Of a clock that is wrong by more than the door takes; ahead: what ours is before that of the phone, ms. */
export const clockNote = (ahead: number): string => (Math.abs(ahead) > period ? words.clock(ahead) : "");
