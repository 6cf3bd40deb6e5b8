// Where the seats are and what has become of them. A unit is a number within
// its performance; rows and tiers are runs of units.

import type { Availability, Performance, Row, Tier, TierAvailability } from "../api/documents";

export interface Seat {
  unit: number;
  row: Row;
  /** As on its label: 1, 2, 3 … along the row, or what the house calls it. */
  name: string;
  /** What somebody who picks it has to know. */
  marks: SeatMark[];
  tier: number; // index into the performance's tiers
  x: number;
  y: number;
}

export const seatMarks = ["accessible", "companion", "restricted"] as const;
export type SeatMark = (typeof seatMarks)[number];

export type SeatState = "free" | "held" | "sold" | "closed" | "picked" | "mine";

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export function seatsOf(performance: Performance): Seat[] {
  const tiers = new Map(performance.tiers.map((tier, index) => [tier.id, index]));
  return performance.rows.flatMap((row) =>
    Array.from({ length: row.count }, (_, i) => ({
      unit: row.first + i,
      row,
      name: row.seats?.[i] ?? String(i + 1),
      marks: seatMarks.filter((mark) => row[mark]?.includes(i)),
      tier: tiers.get(row.tier) ?? 0,
      x: row.places?.[2 * i] ?? row.x + i * row.dx,
      y: row.places?.[2 * i + 1] ?? row.y + i * row.dy,
    })),
  );
}

/** The distance between neighbors, by which everything on the map is measured. */
export function pitch(rows: Row[]): number {
  const steps = rows.filter((row) => row.count > 1).map((row) => Math.hypot(row.dx, row.dy)).filter((step) => step > 0);
  return steps.length > 0 ? Math.min(...steps) : 1;
}

/** The smallest box around all seats, with a margin. */
export function boxOf(seats: { x: number; y: number }[], margin: number): Box {
  if (seats.length === 0) return { left: 0, top: 0, width: 1, height: 1 };
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of seats) { // Math.min of 200,000 arguments is too much for a browser
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  [left, top] = [left - margin, top - margin];
  return { left, top, width: right + margin - left, height: bottom + margin - top };
}

/** The smallest box around all of some. */
export function around(boxes: Box[]): Box {
  const [left, top] = [Math.min(...boxes.map((box) => box.left)), Math.min(...boxes.map((box) => box.top))];
  const [right, bottom] = [Math.max(...boxes.map((box) => box.left + box.width)), Math.max(...boxes.map((box) => box.top + box.height))];
  return { left, top, width: right - left, height: bottom - top };
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** What a unit is, by its number in the runs of a frame. */
const states = ["free", "held", "sold", "closed"] as const;
const same = 4;

/** What count units are, from the end of the run before on; 4: as they were. */
export interface Run {
  count: number;
  what: number;
}

/** Runs of units as base64 of unsigned LEB128 numbers, each a count times eight plus what they are. */
export function decode(runs: string): Run[] {
  const found: Run[] = [];
  let [number, factor] = [0, 1];
  for (const byte of bytesOf(runs)) {
    number += (byte & 0x7f) * factor; // not <<, which ends at 32 bits
    factor *= 128;
    if (byte < 0x80) {
      found.push({ count: Math.floor(number / 8), what: number % 8 });
      [number, factor] = [0, 1];
    }
  }
  if (factor !== 1 || found.some((run) => run.what > same)) throw new Error("runs of units that cannot be read");
  return found;
}

/** What is known of all units at one moment. */
export class Units {
  readonly #what: Uint8Array;

  constructor(count: number) {
    this.#what = new Uint8Array(count);
  }

  /** Of all tiers; nothing is known of them yet. */
  static of(tiers: Tier[]): Units {
    return new Units(tiers.reduce((end, tier) => Math.max(end, tier.first + tier.count), 0));
  }

  /** All of them, as an answer over HTTP has them: bits, the most significant first. */
  set(availability: Pick<Availability, "taken" | "sold" | "closed">): void {
    const [taken, sold, closed] = [availability.taken, availability.sold, availability.closed ?? ""].map(bytesOf) as [Uint8Array, Uint8Array, Uint8Array];
    const has = (bits: Uint8Array, unit: number) => ((bits[unit >> 3] ?? 0) & (0x80 >> (unit & 7))) !== 0;
    for (let unit = 0; unit < this.#what.length; unit++) {
      this.#what[unit] = !has(taken, unit) ? 0 : has(sold, unit) ? 2 : has(closed, unit) ? 3 : 1;
    }
  }

  /** What a frame says, of all or of what has changed. */
  change(runs: Run[], all: boolean): void {
    if (all) this.#what.fill(0);
    let unit = 0;
    for (const run of runs) {
      if (run.what !== same) this.#what.fill(run.what, unit, unit + run.count);
      unit += run.count;
    }
  }

  state(unit: number, picked: ReadonlySet<number>, mine: ReadonlySet<number>): SeatState {
    if (mine.has(unit)) return "mine";
    const state = states[this.#what[unit] ?? 0]!;
    return state === "free" && picked.has(unit) ? "picked" : state;
  }

  free(unit: number): boolean {
    return this.#what[unit] === 0;
  }

  /** How many of a tier are what. */
  left(tier: Tier): TierAvailability {
    const counts = [0, 0, 0, 0];
    for (let unit = tier.first; unit < tier.first + tier.count; unit++) counts[this.#what[unit]!]!++;
    const [free, held, sold, closed] = counts as [number, number, number, number];
    return { id: tier.id, free, held, sold, closed };
  }
}

export interface Section {
  name: string;
  tier: Tier | undefined;
  /** By name: a row that an aisle parts is one row. */
  rows: { name: string; seats: Seat[] }[];
  /** The last row's seat in the middle of the section: its name goes below, as wide as the section. */
  x: number;
  y: number;
  width: number;
}

/** Where the name of a section goes, and how wide it may be: below the last seat in its middle. */
export function footOf(seats: { x: number; y: number }[], step: number): { x: number; y: number; width: number } {
  const x = seats.reduce((sum, seat) => sum + seat.x, 0) / seats.length;
  const y = seats.reduce((low, seat) => (Math.abs(seat.x - x) < 3 * step ? Math.max(low, seat.y) : low), -Infinity);
  return { x, y, width: boxOf(seats, step / 2).width };
}

export function sectionsOf(performance: Performance, seats: Seat[]): Section[] {
  const step = pitch(performance.rows);
  const byRow = grouped(seats, (seat) => seat.row);
  return [...grouped(performance.rows, (row) => row.section)].map(([name, rows]) => {
    const all = rows.flatMap((row) => byRow.get(row) ?? []);
    return {
      name,
      tier: performance.tiers.find((tier) => tier.id === rows[0]?.tier),
      rows: [...grouped(all, (seat) => seat.row.row)].map(([name, seats]) => ({ name, seats: inOrder(seats) })),
      ...footOf(all, step),
    };
  });
}

/** A row of several tiers comes tier by tier: its seats are sorted by what they are called. */
function inOrder(seats: Seat[]): Seat[] {
  const parted = seats.some((seat) => seat.tier !== seats[0]!.tier);
  return parted ? [...seats].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })) : seats;
}

/** Map.groupBy, which phones of 2023 do not have. */
function grouped<K, V>(values: V[], keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group) group.push(value);
    else groups.set(keyOf(value), [value]);
  }
  return groups;
}
