// What is done to a plan. Each edit makes another plan, which shares with the one before
// whatever stays as it was: that makes undoing it cheap.

import type { Point } from "../shop/canvas";
import type { Seat, SeatMark } from "../shop/seats";
import { categoryOf, type Plan, type PlanArea, type PlanRow, type PlanSeat, type PlanSection } from "./plan";

/** A section to be drawn: straight rows, or bent towards the stage. */
export interface Block {
  name: string;
  category: string;
  rows: number;
  seats: number; // of a row
  /** What the first row is called: rows go on in letters, or in numbers. */
  firstRow: string;
  firstSeat: number;
  /** From one seat to the next: 2 for odd or even numbers. */
  step: number;
  from: "left" | "right";
  /** After how many seats there is an aisle; 0: none. */
  aisle: number;
  /** How far the ends of a row lie before its middle, in seat widths. */
  bend: number;
}

/** A section or an area, by its place in the file. */
export type Part = { section: number } | { area: number };

/** What a browser can draw of one form; the whole may have more. */
export const most = { rows: 200, seats: 500 };

const rowDistance = 1.1;
const round = (n: number) => Math.round(n * 1000) / 1000 + 0;

/** A, B … Z, AA, AB … by their number from 0. */
export function letters(n: number): string {
  let text = "";
  for (let rest = n + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) text = String.fromCharCode(65 + ((rest - 1) % 26)) + text;
  return text;
}

/** The number of a name of letters alone; undefined for another. */
export function lettersOf(name: string): number | undefined {
  if (!/^[A-Z]{1,3}$/.test(name)) return undefined;
  return [...name].reduce((n, letter) => n * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

/** What the i-th row is called; "" where the first has a name that nothing follows. */
export function rowName(first: string, i: number): string {
  if (/^\d{1,6}$/.test(first)) return String(Number(first) + i);
  const letter = lettersOf(first.toUpperCase());
  if (letter !== undefined) return letters(letter + i);
  return i === 0 ? first : "";
}

/** Draws a section below everything that is there. */
export function addSection(plan: Plan, block: Block): Plan {
  const gap = (k: number) => (block.aisle > 0 && k >= block.aisle ? 1 : 0);
  const width = block.seats - 1 + gap(block.seats - 1);
  const top = lowest(plan) + 3;
  const rows = Array.from({ length: block.rows }, (_, i): PlanRow => {
    const seats = Array.from({ length: block.seats }, (_, k): PlanSeat => {
      const number = block.firstSeat + block.step * (block.from === "left" ? k : block.seats - 1 - k);
      const x = k + gap(k) - width / 2;
      const off = width > 0 ? (2 * x) / width : 0;
      const seat: PlanSeat = { name: String(number), x: round(x), y: round(top + i * rowDistance - block.bend * off * off) };
      if (k > 0 && gap(k) > gap(k - 1)) seat.aisle = true;
      return seat;
    });
    return { name: rowName(block.firstRow, i), ...(i > 0 ? { rank: i } : {}), seats };
  });
  return { ...plan, sections: [...plan.sections, { name: block.name, category: block.category, rows }] };
}

/** Where a new area goes: below everything that is there. */
export function addArea(plan: Plan, area: Pick<PlanArea, "name" | "category" | "places" | "width" | "height">): Plan {
  return { ...plan, areas: [...plan.areas, { ...area, x: round(-area.width / 2), y: round(lowest(plan) + 3) }] };
}

function lowest(plan: Plan): number {
  let low = -3;
  for (const section of plan.sections) for (const row of section.rows) for (const seat of row.seats) low = Math.max(low, seat.y);
  for (const area of plan.areas) low = Math.max(low, area.y + area.height);
  return low;
}

/** With edits of one section or area, by its place. */
function withPart(plan: Plan, part: Part, section: (section: PlanSection) => PlanSection, area: (area: PlanArea) => PlanArea): Plan {
  if ("section" in part) return { ...plan, sections: plan.sections.map((each, i) => (i === part.section ? section(each) : each)) };
  return { ...plan, areas: plan.areas.map((each, i) => (i === part.area ? area(each) : each)) };
}

export function move(plan: Plan, part: Part, dx: number, dy: number): Plan {
  const moved = <T extends Point>(what: T): T => ({ ...what, x: round(what.x + dx), y: round(what.y + dy) });
  return withPart(plan, part, (section) => ({ ...section, rows: section.rows.map((row) => ({ ...row, seats: row.seats.map(moved) })) }), moved);
}

export function rename(plan: Plan, part: Part, name: string): Plan {
  return withPart(plan, part, (section) => ({ ...section, name }), (area) => ({ ...area, name }));
}

export function renameRow(plan: Plan, section: number, row: number, name: string): Plan {
  return withPart(plan, { section }, (each) => ({ ...each, rows: each.rows.map((one, i) => (i === row ? { ...one, name } : one)) }), (area) => area);
}

export function remove(plan: Plan, part: Part): Plan {
  if ("section" in part) return { ...plan, sections: plan.sections.filter((_, i) => i !== part.section) };
  return { ...plan, areas: plan.areas.filter((_, i) => i !== part.area) };
}

export function resize(plan: Plan, area: number, places: number): Plan {
  return withPart(plan, { area }, (section) => section, (each) => ({ ...each, places }));
}

export function paintArea(plan: Plan, area: number, category: string): Plan {
  return withPart(plan, { area }, (section) => section, (each) => ({ ...each, category }));
}

export const addCategory = (plan: Plan, name: string): Plan => (plan.categories.includes(name) ? plan : { ...plan, categories: [...plan.categories, name] });
export const removeCategory = (plan: Plan, name: string): Plan => ({ ...plan, categories: plan.categories.filter((each) => each !== name) });

/** Paints seats with a category. It is written where it says the most: at a section, at a row, or at the seats. */
export function paint(plan: Plan, units: ReadonlySet<number>, category: string): Plan {
  return withSeats(plan, units, (seat) => ({ ...seat, category }), settled);
}

/** The same section with its categories written as shortly as can be. */
function settled(section: PlanSection): PlanSection {
  const own = section.rows.map((row) => row.seats.map((seat) => categoryOf(section, row, seat)));
  const all = only(own.flat());
  const base = all ?? section.category;
  const rows = section.rows.map((row, i) => {
    const of = own[i]!;
    const rowBase = only(of) ?? (row.category || base);
    return { ...without(row), ...(rowBase === base ? {} : { category: rowBase }), seats: row.seats.map((seat, k) => ({ ...without(seat), ...(of[k] === rowBase ? {} : { category: of[k]! }) })) };
  });
  return { ...section, category: base, rows };
}

const only = (names: string[]): string | undefined => (names.length > 0 && names.every((name) => name === names[0]) ? names[0] : undefined);

function without<T extends { category?: string }>(what: T): T {
  const { category: _, ...rest } = what;
  return rest as T;
}

/** Says of seats what people have to know, or no more. Nobody's place is for a wheelchair and for a companion. */
export function mark(plan: Plan, units: ReadonlySet<number>, mark: SeatMark, on: boolean): Plan {
  const other: Partial<Record<SeatMark, SeatMark>> = { accessible: "companion", companion: "accessible" };
  return withSeats(plan, units, (seat) => {
    const next = { ...seat };
    const opposite = other[mark];
    if (on && opposite) delete next[opposite];
    if (on) next[mark] = true;
    else delete next[mark];
    return next;
  });
}

/** Parts seats from the ones before them; the first of a row has none. */
export function aisle(plan: Plan, units: ReadonlySet<number>, on: boolean): Plan {
  return withSeats(plan, units, (seat, k) => {
    const { aisle: _, ...rest } = seat;
    return on && k > 0 ? { ...rest, aisle: true } : rest;
  });
}

function withSeats(plan: Plan, units: ReadonlySet<number>, edit: (seat: PlanSeat, k: number) => PlanSeat, after = (section: PlanSection) => section): Plan {
  let next = 0;
  const sections = plan.sections.map((section) => {
    let touched = false;
    const rows = section.rows.map((row) => {
      const first = next;
      next += row.seats.length;
      if (!row.seats.some((_, k) => units.has(first + k))) return row;
      touched = true;
      return { ...row, seats: row.seats.map((seat, k) => (units.has(first + k) ? edit(seat, k) : seat)) };
    });
    return touched ? after({ ...section, rows }) : section;
  });
  return { ...plan, sections };
}

/** The seats in a box, by two of its corners. */
export function inBox(seats: Seat[], a: Point, b: Point): number[] {
  const [left, right, top, bottom] = [Math.min(a.x, b.x), Math.max(a.x, b.x), Math.min(a.y, b.y), Math.max(a.y, b.y)];
  return seats.filter((seat) => seat.x >= left && seat.x <= right && seat.y >= top && seat.y <= bottom).map((seat) => seat.unit);
}

/** The seats that a line goes around, closed from its end to its beginning. */
export function inLasso(seats: Seat[], path: Point[]): number[] {
  const inside = ({ x, y }: Point) => {
    let odd = false;
    for (let i = 0, before = path.length - 1; i < path.length; before = i++) {
      const [a, b] = [path[i]!, path[before]!];
      if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
    }
    return odd;
  };
  const [first] = path;
  if (!first) return [];
  const box = path.reduce(([low, high], point) => [{ x: Math.min(low.x, point.x), y: Math.min(low.y, point.y) }, { x: Math.max(high.x, point.x), y: Math.max(high.y, point.y) }] as const, [first, first] as const);
  const near = new Set(inBox(seats, ...box)); // a path of a thousand points is walked for these alone
  return seats.filter((seat) => near.has(seat.unit) && inside(seat)).map((seat) => seat.unit);
}

/** How many edits can be undone. */
const kept = 100;

/** A plan and what it was before. */
export class Edits {
  plan: Plan;
  #past: Plan[] = [];
  #future: Plan[] = [];

  constructor(plan: Plan) {
    this.plan = plan;
  }

  get undoable(): boolean {
    return this.#past.length > 0;
  }

  get redoable(): boolean {
    return this.#future.length > 0;
  }

  make(plan: Plan): void {
    if (plan === this.plan) return;
    this.#past = [...this.#past, this.plan].slice(-kept);
    this.#future = [];
    this.plan = plan;
  }

  undo(): void {
    const before = this.#past.pop();
    if (!before) return;
    this.#future.push(this.plan);
    this.plan = before;
  }

  redo(): void {
    const after = this.#future.pop();
    if (!after) return;
    this.#past.push(this.plan);
    this.plan = after;
  }
}
