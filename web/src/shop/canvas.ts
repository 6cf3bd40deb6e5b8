// Draws the seat map and hears fingers, mouse and wheel. A canvas, because
// 20,000 seats as SVG take 755 ms to make here. The seats are pictures that are
// kept (layer.ts); the stage and the names of sections are few, and drawn each time.

import { shop as words } from "../messages/en";
import { Grid } from "./grid";
import { SeatLayer } from "./layer";
import { around, type Box, boxOf, pitch, type Seat, type SeatMark, seatMarks, type SeatState, type Section } from "./seats";
import { type Inks, Stamps } from "./stamps";
import { fit, pan, type Size, toMap, type View, zoom } from "./view";

/** Where people stand. */
export interface Area extends Box {
  name: string;
  tier: number;
}

export interface Chart {
  seats: Seat[];
  sections: Pick<Section, "name" | "x" | "y" | "width">[];
  areas: Area[];
  step: number; // distance of neighbors, the unit of everything drawn
  box: Box;
  grid: Grid;
  marks: SeatMark[]; // that some seat has
}

export function chartOf(rows: Parameters<typeof pitch>[0], seats: Seat[], sections: Chart["sections"], areas: Area[] = []): Chart {
  const step = pitch(rows);
  const box = around([...(seats.length > 0 || areas.length === 0 ? [boxOf(seats, step * 1.5)] : []), ...areas]);
  const [stage, names] = [step * 3, step]; // room above the first row, and below the last
  const marks = seatMarks.filter((mark) => seats.some((seat) => seat.marks.includes(mark)));
  return { seats, sections, areas, step, marks, grid: new Grid(seats, step), box: { ...box, top: box.top - stage, height: box.height + stage + names } };
}

export interface Handlers {
  state: (unit: number) => SeatState;
  onPick: (seat: Seat) => void;
  onPoint: (seat: Seat | undefined) => void;
  /** Somebody has dragged a tool along a path, in the map's own measure. */
  onDrag?: (path: Point[]) => void;
}

export interface Point {
  x: number;
  y: number;
}

/** What dragging does instead of moving the map: it spans a box, encircles something, or moves it. */
export type Tool = "box" | "lasso" | "move" | undefined;

/** A seat closer than this to its neighbor, in pixels, is too small to hit: a tap zooms in first. */
const hittable = { mouse: 8, touch: 20 };
/** How far beside a seat a tap still means it, in distances of neighbors. */
const reach = { mouse: 0.6, touch: 0.9 };
const most = 48; // pixels between neighbors at the closest
const nameMost = 18; // pixels of a section's name at the closest
const nameLeast = 11; // of one that there is room for
const letter = 0.55; // width of a letter by its height
const slop = 6; // pixels a finger may wander in a tap
const budget = 6; // ms of a frame for drawing seats
const still = 90; // ms after which a zoom is taken for over, and what was stretched is drawn anew

/** What colors and fonts the page has for a map. */
interface MapInks {
  seats: Inks;
  stage: string;
  edge: string;
  soft: string;
  ink: string;
  ground: string;
  font: string;
}

export class SeatCanvas {
  readonly #canvas: HTMLCanvasElement;
  #chart: Chart;
  readonly #handlers: Handlers;
  readonly #pointers = new Map<number, { x: number; y: number }>();
  readonly #observer: ResizeObserver;
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  #view: View = { scale: 1, x: 0, y: 0 };
  #size: Size = { width: 1, height: 1 };
  #stamps = new Stamps(1, "");
  #inks: MapInks | undefined;
  /** What is to be seen, and what it becomes once it is drawn. */
  #layer: SeatLayer | undefined;
  #coming: SeatLayer | undefined;
  #moved = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #wandered = 0;
  #frame = 0;
  #tool: Tool;
  #outline: Box | undefined;
  #path: Point[] = [];

  constructor(canvas: HTMLCanvasElement, chart: Chart, handlers: Handlers) {
    this.#canvas = canvas;
    this.#chart = chart;
    this.#handlers = handlers;
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
    this.#scheme.addEventListener("change", this.#recolor);
    canvas.addEventListener("pointerdown", this.#down);
    canvas.addEventListener("pointermove", this.#move);
    canvas.addEventListener("pointerup", this.#up);
    canvas.addEventListener("pointercancel", this.#cancel);
    canvas.addEventListener("pointerleave", this.#leave);
    canvas.addEventListener("wheel", this.#wheel, { passive: false });
    this.#resize();
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
    this.#observer.disconnect();
    this.#scheme.removeEventListener("change", this.#recolor);
  }

  redraw = (): void => {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  };

  /** Another chart in place of this one: what is looked at stays where it is, unless the house has another size. */
  show(chart: Chart): void {
    if (chart === this.#chart) return;
    const same = (["left", "top", "width", "height"] as const).every((side) => chart.box[side] === this.#chart.box[side]);
    this.#chart = chart;
    if (!same) this.whole();
    this.redraw();
  }

  /** Takes another tool; outline: what it would move. */
  hold(tool: Tool, outline: Box | undefined): void {
    if (tool !== this.#tool) this.#path = [];
    [this.#tool, this.#outline] = [tool, outline];
    this.#gestures();
    this.redraw();
  }

  #recolor = (): void => {
    this.#inks = undefined;
    this.#forget();
    this.redraw();
  };

  #forget(): void {
    this.#layer = this.#coming = undefined;
  }

  /** Zooms around the middle. */
  zoomBy(factor: number): void {
    this.#zoom(factor, this.#size.width / 2, this.#size.height / 2);
  }

  whole(): void {
    this.#view = fit(this.#chart.box, this.#size);
    this.#settle();
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || (width === this.#size.width && height === this.#size.height)) return;
    this.#size = { width, height };
    const density = Math.min(devicePixelRatio || 1, 3);
    this.#canvas.width = width * density;
    this.#canvas.height = height * density;
    this.#forget();
    this.whole();
  }

  #zoom(factor: number, x: number, y: number): boolean {
    const before = this.#view.scale;
    this.#view = zoom(this.#view, factor, x, y, this.#chart.box, this.#size, most / this.#chart.step);
    this.#settle();
    return this.#view.scale !== before;
  }

  #settle(): void {
    this.#moved = performance.now();
    this.#gestures();
    this.redraw();
  }

  #gestures(): void {
    // Fully zoomed out there is nothing to drag: leave the gesture to the page.
    const whole = this.#view.scale <= fit(this.#chart.box, this.#size).scale;
    this.#canvas.style.touchAction = whole && !this.#tool ? "pan-y" : "none";
  }

  #at(event: MouseEvent): { x: number; y: number } {
    const frame = this.#canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  #down = (event: PointerEvent): void => {
    const at = this.#at(event);
    this.#path = this.#pointers.size === 0 && this.#tool ? [toMap(this.#view, at.x, at.y)] : []; // a second finger zooms
    if (this.#pointers.size === 0) this.#wandered = 0;
    this.#pointers.set(event.pointerId, at);
    this.#canvas.setPointerCapture(event.pointerId);
  };

  #move = (event: PointerEvent): void => {
    const at = this.#at(event);
    const last = this.#pointers.get(event.pointerId);
    if (!last) return this.#handlers.onPoint(this.#seatAt(at.x, at.y, reach.mouse));
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.#pointers.set(event.pointerId, at);
    const other = others[0];
    this.#wandered += Math.hypot(at.x - last.x, at.y - last.y) + (other ? slop : 0);
    if (other) {
      const span = (point: { x: number; y: number }) => Math.hypot(point.x - other.x, point.y - other.y);
      this.#zoom(span(at) / Math.max(1, span(last)), (at.x + other.x) / 2, (at.y + other.y) / 2);
    } else if (this.#path.length > 0) {
      this.#path.push(toMap(this.#view, at.x, at.y));
      this.redraw();
    } else if (this.#wandered > slop) {
      this.#view = pan(this.#view, at.x - last.x, at.y - last.y, this.#chart.box, this.#size);
      this.redraw();
    }
  };

  #up = (event: PointerEvent): void => {
    const known = this.#pointers.delete(event.pointerId);
    const path = this.#path;
    this.#path = [];
    if (known && path.length > 1 && this.#wandered > slop) {
      this.redraw();
      return this.#handlers.onDrag?.(path);
    }
    if (!known || this.#wandered > slop || this.#pointers.size > 0) return;
    const at = this.#at(event);
    const pointer = event.pointerType === "touch" ? "touch" : "mouse";
    const needed = hittable[pointer];
    if (this.#view.scale * this.#chart.step < needed) {
      this.#zoom((needed * 1.25) / (this.#view.scale * this.#chart.step), at.x, at.y);
      return;
    }
    const seat = this.#seatAt(at.x, at.y, reach[pointer]);
    if (seat) this.#handlers.onPick(seat);
  };

  #cancel = (event: PointerEvent): void => {
    this.#path = [];
    this.#pointers.delete(event.pointerId);
  };

  #leave = (): void => this.#handlers.onPoint(undefined);

  #wheel = (event: WheelEvent): void => {
    const at = this.#at(event);
    const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.06 : 0.002));
    // At either end the wheel scrolls the page again.
    if (this.#zoom(factor, at.x, at.y) || event.ctrlKey) event.preventDefault();
  };

  #seatAt(px: number, py: number, within: number): Seat | undefined {
    const { x, y } = toMap(this.#view, px, py);
    return this.#chart.grid.nearest(x, y, this.#chart.step * within);
  }

  #draw(): void {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const until = performance.now() + budget;
    const density = this.#canvas.width / this.#size.width;
    const inks = (this.#inks ??= this.#readInks());
    this.#prepare(density, inks.seats);
    let finished = true;
    if (this.#layer) finished = this.#layer.update(this.#handlers.state, until);
    if (this.#coming) {
      this.#coming.begin(this.#handlers.state, until);
      if (this.#coming.done) [this.#layer, this.#coming] = [this.#coming, undefined];
      finished = false; // what changed meanwhile is drawn in the next frame
    }
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    const onMap = () => context.setTransform(density * this.#view.scale, 0, 0, density * this.#view.scale, density * this.#view.x, density * this.#view.y);
    onMap();
    this.#drawStage(context, inks);
    this.#drawAreas(context, inks);
    const seats = this.#layer ?? this.#coming;
    if (seats) {
      context.setTransform(density, 0, 0, density, 0, 0);
      context.drawImage(seats.canvas, ...seats.place(this.#view));
      onMap();
    }
    this.#drawNames(context, inks);
    this.#drawTool(context, inks);
    if (!finished) this.redraw();
  }

  /** Begins another picture where the one that is there does not fit any more. */
  #prepare(density: number, inks: Inks): void {
    const [view, layer, coming] = [this.#view, this.#layer, this.#coming];
    const current = (picture: SeatLayer) => picture.seats === this.#chart.seats;
    const fits = (picture: SeatLayer | undefined) => picture !== undefined && current(picture) && picture.view.scale === view.scale && picture.covers(view);
    if (fits(layer)) {
      this.#coming = undefined;
      return;
    }
    if (fits(coming)) return;
    const rest = this.#moved + still - performance.now();
    if (layer && layer.view.scale !== view.scale && rest > 0) {
      this.#coming = undefined; // it is out of date already
      clearTimeout(this.#rest);
      this.#rest = setTimeout(this.redraw, rest);
      return;
    }
    this.#stamps = this.#stamps.fit(this.#chart.step * density * view.scale, inks);
    this.#coming = new SeatLayer(this.#chart.seats, this.#chart.grid, this.#chart.step, view, this.#size, density, this.#stamps);
  }

  #readInks(): MapInks {
    const style = getComputedStyle(this.#canvas);
    const color = (name: string) => style.getPropertyValue(name).trim();
    return {
      seats: {
        tiers: [0, 1, 2, 3, 4, 5].map((i) => color(`--tier-${i}`)),
        off: color("--off"),
        mine: color("--mine"),
        mineInk: color("--velvet-ink"),
        ring: color("--brass"),
      },
      stage: color("--sunken"),
      edge: color("--edge"),
      soft: color("--ink-soft"),
      ink: color("--ink"),
      ground: color("--ground"),
      font: style.getPropertyValue("--sign"),
    };
  }

  #drawStage(context: CanvasRenderingContext2D, inks: MapInks): void {
    const { box, step } = this.#chart;
    const [middle, width, top] = [box.left + box.width / 2, box.width * 0.3, box.top + step * 0.6];
    context.fillStyle = inks.stage;
    context.strokeStyle = inks.edge;
    context.lineWidth = step * 0.12;
    context.beginPath();
    context.moveTo(middle - width / 2, top);
    context.lineTo(middle + width / 2, top);
    context.quadraticCurveTo(middle, top + step * 5.5, middle - width / 2, top);
    context.fill();
    context.stroke();
    this.#write(context, words.map.stage, middle, top + step * 1.3, step * 1.5, inks.soft, inks.font);
  }

  #drawAreas(context: CanvasRenderingContext2D, inks: MapInks): void {
    const { areas, step } = this.#chart;
    for (const area of areas) {
      const tier = inks.seats.tiers[area.tier % inks.seats.tiers.length]!;
      context.fillStyle = context.strokeStyle = tier;
      context.lineWidth = step * 0.12;
      context.globalAlpha = 0.18;
      context.fillRect(area.left, area.top, area.width, area.height);
      context.globalAlpha = 1;
      context.strokeRect(area.left, area.top, area.width, area.height);
      const size = Math.min(nameMost / this.#view.scale, area.height / 2, area.width / (letter * area.name.length));
      this.#write(context, area.name, area.left + area.width / 2, area.top + area.height / 2, size, inks.ink, inks.font, inks.ground);
    }
  }

  /** What the tool in hand has done so far. */
  #drawTool(context: CanvasRenderingContext2D, inks: MapInks): void {
    const [first, last] = [this.#path[0], this.#path.at(-1)];
    const outline = this.#outline;
    context.strokeStyle = inks.ink;
    context.lineWidth = 1.5 / this.#view.scale;
    context.setLineDash([5 / this.#view.scale, 4 / this.#view.scale]);
    if (this.#tool === "move" && outline) {
      const [dx, dy] = first && last ? [last.x - first.x, last.y - first.y] : [0, 0];
      context.strokeRect(outline.left + dx, outline.top + dy, outline.width, outline.height);
    } else if (this.#tool === "box" && first && last) {
      context.strokeRect(first.x, first.y, last.x - first.x, last.y - first.y);
    } else if (this.#tool === "lasso" && first) {
      context.beginPath();
      for (const point of this.#path) context.lineTo(point.x, point.y);
      context.closePath();
      context.stroke();
    }
    context.setLineDash([]);
  }

  #drawNames(context: CanvasRenderingContext2D, inks: MapInks): void {
    const { sections, step, box } = this.#chart;
    const { scale } = this.#view;
    const bottom = box.top + box.height;
    for (const { name, x, y, width } of sections) {
      const size = Math.max(Math.min(step * 1.15, nameMost / scale), Math.min(nameLeast / scale, width / (letter * name.length)));
      this.#write(context, name, x, Math.min(y + step * 0.6 + size * 0.52, bottom - size * 0.6), size, inks.ink, inks.font, inks.ground);
    }
  }

  #write(context: CanvasRenderingContext2D, text: string, x: number, y: number, size: number, ink: string, font: string, halo?: string): void {
    context.font = `700 ${size}px ${font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (halo !== undefined) {
      context.strokeStyle = halo;
      context.lineWidth = size * 0.3;
      context.lineJoin = "round";
      context.strokeText(text, x, y);
    }
    context.fillStyle = ink;
    context.fillText(text, x, y);
  }
}
