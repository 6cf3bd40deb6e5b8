// The seats of a window onto the map as a picture that is kept. Drawing 20,000 of
// them takes a tenth of a second here: so a picture is drawn in slices of a frame, only
// what has changed is drawn again, and while somebody drags or zooms it is moved as
// it is.

import type { Grid } from "./grid";
import type { Seat, SeatState } from "./seats";
import { type Stamps, stateNumber } from "./stamps";
import type { Size, View } from "./view";

/** How much a picture has on each side beyond the window, of its width and height: so far one may drag before another is needed. */
const beyond = 0.25;

/** How many seats are looked at between two looks at the clock. */
const slice = 64;

export class SeatLayer {
  readonly view: View;
  readonly canvas = document.createElement("canvas");
  readonly seats: Seat[];
  readonly #grid: Grid;
  readonly #stamps: Stamps;
  readonly #context: CanvasRenderingContext2D | null;
  /** What each seat is drawn as: 0 not yet, else one more than the number of its state. */
  readonly #shown: Uint8Array;
  readonly #scale: number; // of the map, in pixels of the picture
  readonly #left: number;
  readonly #top: number;
  readonly #margin: Size; // in CSS pixels
  readonly #size: Size;
  readonly #step: number;
  #next = 0;

  constructor(seats: Seat[], grid: Grid, step: number, view: View, size: Size, density: number, stamps: Stamps) {
    this.view = view;
    this.seats = seats;
    this.#grid = grid;
    this.#stamps = stamps;
    this.#size = size;
    this.#step = step;
    this.#margin = { width: size.width * beyond, height: size.height * beyond };
    this.canvas.width = Math.ceil((size.width + 2 * this.#margin.width) * density);
    this.canvas.height = Math.ceil((size.height + 2 * this.#margin.height) * density);
    this.#context = this.canvas.getContext("2d");
    this.#shown = new Uint8Array(seats.length);
    this.#scale = density * view.scale;
    this.#left = density * (view.x + this.#margin.width) - stamps.middle;
    this.#top = density * (view.y + this.#margin.height) - stamps.middle;
  }

  /** Whether every seat is drawn. */
  get done(): boolean {
    return this.#next >= this.seats.length;
  }

  /** Whether it has all that is to be seen in another view of the same scale. */
  covers(view: View): boolean {
    return Math.abs(view.x - this.view.x) <= this.#margin.width && Math.abs(view.y - this.view.y) <= this.#margin.height;
  }

  /** Where it lies in a window that shows another view. */
  place(view: View): [x: number, y: number, width: number, height: number] {
    const by = view.scale / this.view.scale;
    return [
      view.x - (this.view.x + this.#margin.width) * by,
      view.y - (this.view.y + this.#margin.height) * by,
      (this.#size.width + 2 * this.#margin.width) * by,
      (this.#size.height + 2 * this.#margin.height) * by,
    ];
  }

  /** Draws what is not there yet until the time is up, in ms of performance.now. */
  begin(state: (unit: number) => SeatState, until: number): void {
    while (!this.done && performance.now() < until) {
      for (const end = Math.min(this.#next + slice, this.seats.length); this.#next < end; this.#next++) this.#stamp(this.#next, state(this.seats[this.#next]!.unit));
    }
  }

  /** Draws what has changed, and reports whether that is all of it. */
  update(state: (unit: number) => SeatState, until: number): boolean {
    for (let index = 0; index < this.#next; index++) {
      const now = state(this.seats[index]!.unit);
      if (this.#shown[index] === stateNumber(now) + 1) continue;
      if (performance.now() > until) return false;
      this.#replace(index, now);
    }
    return true;
  }

  /** Draws a seat anew, and those again that reach into its square. */
  #replace(index: number, state: SeatState): void {
    this.#shown[index] = stateNumber(state) + 1;
    const context = this.#context;
    const [x, y] = this.#at(index);
    const size = this.#stamps.size + 1; // a picture between two pixels is on both
    if (!context || !this.#inside(x, y)) return;
    context.save();
    context.beginPath();
    context.rect(Math.floor(x), Math.floor(y), size, size);
    context.clip();
    context.clearRect(Math.floor(x), Math.floor(y), size, size);
    const { x: mapX, y: mapY } = this.seats[index]!;
    const reach = Math.max(this.#step, (size + 1) / this.#scale);
    const near: number[] = [];
    this.#grid.around(mapX, mapY, reach, (other) => void near.push(other));
    for (const other of near.sort((a, b) => a - b)) {
      const shown = this.#shown[other]!;
      if (shown > 0) context.drawImage(this.#stamps.numbered(this.seats[other]!, shown - 1), ...this.#at(other));
    }
    context.restore();
  }

  #stamp(index: number, state: SeatState): void {
    this.#shown[index] = stateNumber(state) + 1;
    const [x, y] = this.#at(index);
    if (this.#inside(x, y)) this.#context?.drawImage(this.#stamps.numbered(this.seats[index]!, stateNumber(state)), x, y);
  }

  #at(index: number): [x: number, y: number] {
    const seat = this.seats[index]!;
    return [seat.x * this.#scale + this.#left, seat.y * this.#scale + this.#top];
  }

  #inside(x: number, y: number): boolean {
    return x > -this.#stamps.size && y > -this.#stamps.size && x < this.canvas.width && y < this.canvas.height;
  }
}
