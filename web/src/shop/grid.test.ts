import { expect, test } from "vitest";
import { Grid } from "./grid";
import type { Row } from "../api/documents";
import type { Seat } from "./seats";

/** Numbers that look like chance and are the same each time. */
function dice(seed: number): () => number {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
}

test("the grid finds the seat that a look at all of them finds", () => {
  const roll = dice(7);
  const seats: Seat[] = Array.from({ length: 500 }, (_, unit) => ({ unit, row: {} as Row, name: "", marks: [], tier: 0, x: roll() * 30 - 15, y: roll() * 20 - 10 }));
  const grid = new Grid(seats, 1);
  let found = 0;
  for (let i = 0; i < 300; i++) {
    const [x, y, within] = [roll() * 34 - 17, roll() * 24 - 12, roll() * 2];
    let best: Seat | undefined;
    for (const seat of seats) {
      const d = Math.hypot(seat.x - x, seat.y - y);
      if (d < within && (best === undefined || d < Math.hypot(best.x - x, best.y - y))) best = seat;
    }
    expect(grid.nearest(x, y, within)).toBe(best);
    if (best) found++;
    const near = new Set<number>();
    grid.around(x, y, within, (index) => near.add(index));
    const missed = seats.filter((seat, index) => Math.abs(seat.x - x) <= within && Math.abs(seat.y - y) <= within && !near.has(index));
    expect(missed).toEqual([]);
  }
  expect(found).toBeGreaterThan(75);
});
