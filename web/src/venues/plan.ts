// A seat map as its file has it (docs/venues.md), and as it is drawn. A seat's number here is
// its place in the file: section by section, row by row.

import type { Row } from "../api/documents";
import { type Area, type Chart, chartOf } from "../shop/canvas";
import { footOf, pitch, type Seat, type SeatMark, seatMarks } from "../shop/seats";

export interface PlanSeat {
  name: string;
  x: number;
  y: number;
  category?: string;
  /** Between it and the seat before. */
  aisle?: boolean;
  accessible?: boolean;
  companion?: boolean;
  restricted?: boolean;
}

export interface PlanRow {
  name: string;
  category?: string;
  rank?: number;
  seats: PlanSeat[];
}

export interface PlanSection {
  name: string;
  category: string;
  rows: PlanRow[];
}

export interface PlanArea {
  name: string;
  category: string;
  places: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Plan {
  format: string;
  name: string;
  categories: string[];
  sections: PlanSection[];
  areas: PlanArea[];
}

export const emptyPlan = (name: string): Plan => ({ format: "ropeline-venue/1", name, categories: [], sections: [], areas: [] });

/** What the seat says, else its row, else its section. */
export const categoryOf = (section: PlanSection, row: PlanRow, seat: PlanSeat): string => seat.category || row.category || section.category;

/** A run of seats by their numbers. */
export interface Span {
  first: number;
  count: number;
}

export interface Count {
  category: string;
  seats: number;
  places: number;
}

/** A plan as it is drawn, and what is in it. */
export interface House {
  plan: Plan;
  chart: Chart;
  /** Of each section, and of each row of it. */
  spans: (Span & { rows: Span[] })[];
  counts: Count[];
  units: number;
}

const unmarked: SeatMark[] = [];

export function houseOf(plan: Plan): House {
  const tiers = new Map(plan.categories.map((name, index) => [name, index]));
  const counts = plan.categories.map((category) => ({ category, seats: 0, places: 0 }));
  const seats: Seat[] = [];
  const rows: Row[] = [];
  const spans = plan.sections.map((section) => {
    const first = seats.length;
    const spans = section.rows.map((row) => {
      const told = rowOf(section, row, seats.length);
      rows.push(told);
      for (const seat of row.seats) {
        const tier = tiers.get(categoryOf(section, row, seat)) ?? 0;
        if (counts[tier]) counts[tier].seats++;
        const marks = seat.accessible || seat.companion || seat.restricted ? seatMarks.filter((mark) => seat[mark]) : unmarked;
        seats.push({ unit: seats.length, row: told, name: seat.name, marks, tier, x: seat.x, y: seat.y });
      }
      return { first: told.first, count: told.count };
    });
    return { first, count: seats.length - first, rows: spans };
  });
  const step = pitch(rows);
  const named = plan.sections.flatMap((section, i) => (spans[i]!.count > 0 ? [{ name: section.name, ...footOf(seatsIn(seats, spans[i]!), step) }] : []));
  const areas = plan.areas.map((area): Area => {
    const tier = tiers.get(area.category) ?? 0;
    if (counts[tier]) counts[tier].places += area.places;
    return { name: area.name, tier, left: area.x, top: area.y, width: Math.max(area.width, step), height: Math.max(area.height, step) };
  });
  const units = seats.length + plan.areas.reduce((sum, area) => sum + area.places, 0);
  return { plan, chart: chartOf(rows, seats, named, areas), spans, counts, units };
}

const seatsIn = (seats: Seat[], span: Span) => seats.slice(span.first, span.first + span.count);

function rowOf(section: PlanSection, row: PlanRow, first: number): Row {
  const [a, b] = row.seats;
  const [x, y] = a ? [a.x, a.y] : [0, 0];
  return { section: section.name, row: row.name, tier: "", first, count: row.seats.length, x, y, dx: b ? b.x - x : 0, dy: b ? b.y - y : 0 };
}
