// Finds seats by where they are: looking at 20,000 for every move of the mouse
// takes too long.

import type { Seat } from "./seats";

export class Grid {
  readonly #cell: number;
  readonly #cells = new Map<string, number[]>();
  readonly #seats: Seat[];

  /** cell: about the distance of neighbors. */
  constructor(seats: Seat[], cell: number) {
    this.#cell = cell;
    this.#seats = seats;
    seats.forEach((seat, index) => {
      const key = this.#key(this.#of(seat.x), this.#of(seat.y));
      const cell = this.#cells.get(key);
      if (cell) cell.push(index);
      else this.#cells.set(key, [index]);
    });
  }

  /** The seat that is nearest to a point, if it is nearer than that. */
  nearest(x: number, y: number, within: number): Seat | undefined {
    let best: Seat | undefined;
    let distance = within ** 2;
    this.around(x, y, within, (index) => {
      const seat = this.#seats[index]!;
      const d = (seat.x - x) ** 2 + (seat.y - y) ** 2;
      if (d < distance) [best, distance] = [seat, d];
    });
    return best;
  }

  /** Calls with the index of every seat in a square around a point, and of some beside it. */
  around(x: number, y: number, reach: number, call: (index: number) => void): void {
    for (let column = this.#of(x - reach); column <= this.#of(x + reach); column++) {
      for (let row = this.#of(y - reach); row <= this.#of(y + reach); row++) {
        for (const index of this.#cells.get(this.#key(column, row)) ?? []) call(index);
      }
    }
  }

  #of(coordinate: number): number {
    return Math.floor(coordinate / this.#cell);
  }

  #key(column: number, row: number): string {
    return `${column} ${row}`;
  }
}
