// Pictures of seats of one size, to be copied: 20,000 seats as paths take 105 ms to
// draw here.

import { type Seat, seatMarks, type SeatState } from "./seats";
import { signOf, signRadius, signs } from "./signs";

export interface Inks {
  tiers: string[];
  off: string;
  mine: string;
  mineInk: string;
  ring: string;
}

const states: SeatState[] = ["free", "held", "sold", "closed", "picked", "mine"];
const numbers = new Map(states.map((state, number) => [state, number]));

/** States as numbers, for 20,000 of them to be kept and compared. */
export const stateNumber = (state: SeatState): number => numbers.get(state)!;

export class Stamps {
  readonly size: number; // pixels of a side
  readonly middle: number;
  readonly #step: number;
  readonly #key: string;
  readonly #inks: Inks | undefined;
  readonly #made = new Map<number, HTMLCanvasElement>();

  constructor(step: number, key: string, inks?: Inks) {
    this.size = Math.ceil(step * 1.2) + 2;
    this.middle = this.size / 2;
    this.#step = step;
    this.#key = key;
    this.#inks = inks;
  }

  /** These, or others of another distance between neighbors, in pixels, and other inks. */
  fit(step: number, inks: Inks): Stamps {
    const key = JSON.stringify([step, inks]);
    return key === this.#key ? this : new Stamps(step, key, inks);
  }

  /** The picture of a seat in the state of a number. A key as text for each of 20,000 takes as long as to draw them. */
  numbered(seat: Seat, number: number): HTMLCanvasElement {
    const state = states[number]!;
    const sign = state === "free" && seat.marks.length > 0 ? 1 + seatMarks.indexOf(signOf(seat.marks)!) : 0;
    const key = (seat.tier * 4 + sign) * states.length + number;
    let stamp = this.#made.get(key);
    if (!stamp) {
      stamp = document.createElement("canvas");
      stamp.width = stamp.height = this.size;
      const context = stamp.getContext("2d");
      context?.translate(this.middle, this.middle);
      if (context && this.#inks) drawSeat(context, { ...seat, x: 0, y: 0 }, state, this.#step, this.#inks);
      this.#made.set(key, stamp);
    }
    return stamp;
  }
}

/** Each state has a shape of its own: disc, ring, cross, dash, ticked square; color only adds the tier. */
function drawSeat(context: CanvasRenderingContext2D, seat: Seat, state: SeatState, step: number, inks: Inks): void {
  const radius = step * 0.38;
  const tier = inks.tiers[seat.tier % inks.tiers.length]!;
  context.beginPath();
  switch (state) {
    case "free":
      context.fillStyle = tier;
      if (seat.marks.length > 0) return drawSign(context, seat, radius);
      context.arc(seat.x, seat.y, radius, 0, 2 * Math.PI);
      return context.fill();
    case "held":
      context.strokeStyle = tier;
      context.lineWidth = step * 0.11;
      context.arc(seat.x, seat.y, radius * 0.82, 0, 2 * Math.PI);
      return context.stroke();
    case "sold":
      context.strokeStyle = inks.off;
      context.lineWidth = step * 0.12;
      for (const side of [1, -1]) {
        context.moveTo(seat.x - radius * 0.6, seat.y - side * radius * 0.6);
        context.lineTo(seat.x + radius * 0.6, seat.y + side * radius * 0.6);
      }
      return context.stroke();
    case "closed":
      context.strokeStyle = inks.off;
      context.lineWidth = step * 0.12;
      context.moveTo(seat.x - radius * 0.6, seat.y);
      context.lineTo(seat.x + radius * 0.6, seat.y);
      return context.stroke();
    default:
      context.fillStyle = inks.mine;
      context.rect(seat.x - step * 0.46, seat.y - step * 0.46, step * 0.92, step * 0.92);
      context.fill();
      if (state === "mine") {
        context.strokeStyle = inks.ring;
        context.lineWidth = step * 0.14;
        context.stroke();
      }
      context.beginPath();
      context.strokeStyle = inks.mineInk;
      context.lineWidth = step * 0.14;
      context.moveTo(seat.x - step * 0.22, seat.y + step * 0.02);
      context.lineTo(seat.x - step * 0.05, seat.y + step * 0.2);
      context.lineTo(seat.x + step * 0.25, seat.y - step * 0.2);
      return context.stroke();
  }
}

function drawSign(context: CanvasRenderingContext2D, seat: Seat, radius: number): void {
  context.save();
  context.translate(seat.x, seat.y);
  context.scale(radius / signRadius, radius / signRadius);
  context.fill(new Path2D(signs[signOf(seat.marks)!]), "evenodd");
  context.restore();
}
