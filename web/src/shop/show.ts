import type { Performance } from "../api/documents";
import { type Chart, chartOf } from "./canvas";
import { type Section, seatsOf, sectionsOf } from "./seats";

/** Everything static about the performance on screen. */
export interface Show {
  performance: Performance;
  chart: Omit<Chart, "sections"> & { sections: Section[] };
}

export function showOf(performance: Performance): Show {
  const seats = seatsOf(performance);
  const sections = sectionsOf(performance, seats);
  return { performance, chart: { ...chartOf(performance.rows, seats, sections), sections } };
}
