import type { Performance } from "../api/documents";
import { type Chart, chartOf } from "./canvas";
import { seatsOf, sectionsOf } from "./seats";

/** Everything static about the performance on screen. */
export interface Show {
  performance: Performance;
  chart: Chart;
}

export function showOf(performance: Performance): Show {
  const seats = seatsOf(performance);
  return { performance, chart: chartOf(performance.rows, seats, sectionsOf(performance, seats)) };
}
