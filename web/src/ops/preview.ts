// What a change of the limits would do, as far as that is arithmetic. Pure.

import type { Limits, Live } from "../api/documents";

export interface Preview {
  /** How many may go in at once when the change is made; the rate spreads them. */
  room: number;
  /** How many are above the new cap: nobody is put out, they leave one by one. */
  above: number;
  /** Seconds until the room is full at the new rate; undefined if nobody may go in, or nobody is there to. */
  filled: number | undefined;
  /** Seconds that the last of those who wait now waits at least: by the rate alone. */
  last: number | undefined;
}

export function preview(live: Live, wanted: Limits): Preview {
  const inside = live.active + live.offered;
  const room = Math.max(0, wanted.cap - inside);
  const going = Math.min(room, live.waiting);
  const at = (people: number) => (wanted.rate > 0 && wanted.cap > 0 ? (60 * people) / wanted.rate : undefined);
  return {
    room,
    above: Math.max(0, inside - wanted.cap),
    filled: going > 0 ? at(going) : undefined,
    last: live.waiting > 0 ? at(live.waiting) : 0,
  };
}

/** The end of a slider that has a value somewhere in its middle: 1, 2 or 5 of a power of ten, at least twice of it. */
export function reach(value: number, least: number, most: number): number {
  const twice = Math.max(2 * value, least);
  const power = 10 ** Math.floor(Math.log10(twice));
  const end = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= twice) ?? twice;
  return Math.min(end, most);
}
