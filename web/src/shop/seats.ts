// Where the seats are and what has become of them. A unit is a number within
// its performance; rows and tiers are runs of units.

import type { Availability, Performance, Row, Tier } from "../api/documents";

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
export function boxOf(seats: Seat[], margin: number): Box {
  if (seats.length === 0) return { left: 0, top: 0, width: 1, height: 1 };
  const xs = seats.map((seat) => seat.x);
  const ys = seats.map((seat) => seat.y);
  const [left, top] = [Math.min(...xs) - margin, Math.min(...ys) - margin];
  return { left, top, width: Math.max(...xs) + margin - left, height: Math.max(...ys) + margin - top };
}

/** Units as base64 bits, most significant bit first. */
export class Bits {
  readonly #bytes: Uint8Array;

  constructor(base64: string) {
    this.#bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  }

  has(unit: number): boolean {
    return ((this.#bytes[unit >> 3] ?? 0) & (0x80 >> (unit & 7))) !== 0;
  }
}

/** What is known of all units at one moment, and which are this fan's. */
export class Units {
  readonly #taken: Bits;
  readonly #sold: Bits;
  readonly #closed: Bits;

  constructor(availability: Pick<Availability, "taken" | "sold" | "closed">) {
    this.#taken = new Bits(availability.taken);
    this.#sold = new Bits(availability.sold);
    this.#closed = new Bits(availability.closed ?? "");
  }

  state(unit: number, picked: ReadonlySet<number>, mine: ReadonlySet<number>): SeatState {
    if (mine.has(unit)) return "mine";
    if (this.#sold.has(unit)) return "sold";
    if (this.#closed.has(unit)) return "closed";
    if (this.#taken.has(unit)) return "held";
    return picked.has(unit) ? "picked" : "free";
  }

  free(unit: number): boolean {
    return !this.#taken.has(unit);
  }
}

export interface Section {
  name: string;
  tier: Tier | undefined;
  /** By name: a row that an aisle parts is one row. */
  rows: { name: string; seats: Seat[] }[];
  /** The last row's seat in the middle of the section: its name goes below. */
  x: number;
  y: number;
}

export function sectionsOf(performance: Performance, seats: Seat[]): Section[] {
  const step = pitch(performance.rows);
  const byRow = grouped(seats, (seat) => seat.row);
  return [...grouped(performance.rows, (row) => row.section)].map(([name, rows]) => {
    const all = rows.flatMap((row) => byRow.get(row) ?? []);
    const middle = all.reduce((sum, seat) => sum + seat.x, 0) / all.length;
    return {
      name,
      tier: performance.tiers.find((tier) => tier.id === rows[0]?.tier),
      rows: [...grouped(all, (seat) => seat.row.row)].map(([name, seats]) => ({ name, seats: inOrder(seats) })),
      x: middle,
      y: Math.max(...all.filter((seat) => Math.abs(seat.x - middle) < 3 * step).map((seat) => seat.y)),
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
