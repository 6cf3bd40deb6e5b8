// A seat map while it is drawn: what is chosen, what was done, and how it is kept.

import { type Fault, Faulty } from "../api/files";
import { Refusal } from "../api/http";
import { Once } from "../api/once";
import * as api from "../api/venues";
import { standing, Working } from "../desk/working";
import { venues as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import type { Point, Tool } from "../shop/canvas";
import { boxOf, type Seat, type SeatState } from "../shop/seats";
import { Edits, inBox, inLasso, move, type Part } from "./edit";
import { emptyPlan, type House, houseOf, type Plan, type Span } from "./plan";

export class Drawing extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["organizer", "sre", "venue"];
  /** "" : a new venue. */
  readonly venue: string;
  house: House | undefined;
  chosen: ReadonlySet<number> = new Set();
  /** What the tool that moves something would move. */
  part: Part | undefined;
  tool: Tool;
  /** Dragging takes seats out of what is chosen. */
  out = false;
  faults: Fault[] = [];
  /** Somebody else has kept another version meanwhile. */
  stale = false;
  /** Which section of the list is open. */
  open: number | undefined;

  #edits: Edits | undefined;
  #kept: Plan | undefined;
  #version = 0;
  readonly #once = new Once();

  constructor(redraw: () => void, venue: string) {
    super(redraw);
    this.venue = venue;
  }

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      if (this.venue === "") {
        await api.venues(); // whoever may not keep a venue should not draw one
        this.#begin(emptyPlan(""));
      } else {
        const { plan, version } = await api.map(this.venue, 0);
        this.#version = version;
        this.#begin(plan);
      }
      this.staff = "yes";
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.house = undefined;
    });
  }

  get plan(): Plan {
    return this.#edits!.plan;
  }

  /** Something was drawn that is not kept. */
  get unsaved(): boolean {
    return this.#edits !== undefined && this.#edits.plan !== this.#kept;
  }

  get undoable(): boolean {
    return this.#edits?.undoable ?? false;
  }

  get redoable(): boolean {
    return this.#edits?.redoable ?? false;
  }

  /** Whatever is done to the plan is done here. said: what was done, in words. */
  make(plan: Plan, said = ""): void {
    const seats = this.house?.chart.seats.length;
    this.#edits!.make(plan);
    this.#shown(said, seats);
  }

  undo(): void {
    const seats = this.house?.chart.seats.length;
    this.#edits!.undo();
    this.#shown(words.draw.undone, seats);
  }

  redo(): void {
    const seats = this.house?.chart.seats.length;
    this.#edits!.redo();
    this.#shown(words.draw.redone, seats);
  }

  state(unit: number): SeatState {
    return this.chosen.has(unit) ? "picked" : "free";
  }

  pick(seat: Seat): void {
    this.choose([seat.unit], !this.chosen.has(seat.unit));
  }

  choose(units: Iterable<number>, on: boolean): void {
    const next = new Set(this.chosen);
    for (const unit of units) {
      if (on) next.add(unit);
      else next.delete(unit);
    }
    this.chosen = next;
    this.changed();
  }

  chooseSpan(span: Span, on: boolean): void {
    this.choose(unitsOf(span), on);
  }

  /** How much of a span is chosen. */
  chosenOf(span: Span): "all" | "some" | "none" {
    let n = 0;
    for (const unit of unitsOf(span)) if (this.chosen.has(unit)) n++;
    return n === 0 ? "none" : n === span.count ? "all" : "some";
  }

  chooseNone(): void {
    this.chosen = new Set();
    this.changed();
  }

  take(tool: Tool): void {
    this.tool = tool;
    this.changed();
  }

  takeOut(out: boolean): void {
    this.out = out;
    this.changed();
  }

  /** Chooses what the tool for moving moves. */
  aim(part: Part | undefined): void {
    this.part = part;
    this.changed();
  }

  /** Opens a section of the list, and closes the one before. */
  show(section: number | undefined): void {
    this.open = section;
    this.changed();
  }

  /** Where the tool was dragged along. */
  dragged(path: Point[]): void {
    const [first, last] = [path[0]!, path.at(-1)!];
    const { seats } = this.house!.chart;
    if (this.tool === "move" && this.part) this.make(move(this.plan, this.part, last.x - first.x, last.y - first.y));
    if (this.tool === "box") this.choose(inBox(seats, first, last), !this.out);
    if (this.tool === "lasso") this.choose(inLasso(seats, path), !this.out);
  }

  /** The box around what would be moved. */
  get outline(): House["chart"]["box"] | undefined {
    const { part, house } = this;
    if (!part || !house) return undefined;
    if ("area" in part) return house.chart.areas[part.area];
    const span = house.spans[part.section];
    return span && span.count > 0 ? boxOf(house.chart.seats.slice(span.first, span.first + span.count), house.chart.step * 0.8) : undefined;
  }

  /** Keeps the map as the next version, or as a new venue, whose page is then opened. */
  save(reason: string): Promise<void> {
    return this.act(async () => {
      const { plan } = this;
      const text = JSON.stringify(plan);
      this.faults = [];
      try {
        const kept = this.venue === "" ? await api.createMap(this.#once.key(text), text) : await api.putMap(this.venue, this.#version, text, reason);
        this.#once.answered();
        this.#kept = plan;
        location.assign(`?venue=${encodeURIComponent(kept.id)}`);
      } catch (cause) {
        if (!(cause instanceof Faulty) || cause.faults.length === 0) throw cause;
        this.#once.answered();
        this.faults = cause.faults;
      }
    });
  }

  /** Has what is drawn follow the version that somebody else has kept: no version is ever lost. */
  follow(): Promise<void> {
    return this.act(async () => {
      this.#version = (await api.map(this.venue, 0)).version;
      this.stale = false;
      this.notice = words.draw.follows(this.#version);
    });
  }

  /** Shows what a fault is about: chooses its seats, and opens its section. */
  jump(fault: Fault): void {
    const [, list, at, , row, , seat] = (fault.pointer ?? "").split("/");
    const span = list === "sections" ? this.house?.spans[Number(at)] : undefined;
    if (span) {
      const of = row === undefined ? span : span.rows[Number(row)];
      this.chosen = new Set(of === undefined ? [] : seat === undefined ? unitsOf(of) : [of.first + Number(seat)]);
      this.open = Number(at);
    } else if (list === "areas") {
      this.part = { area: Number(at) };
    }
    this.changed();
  }

  #begin(plan: Plan): void {
    this.#kept = plan;
    this.#edits = new Edits(plan);
    this.house = houseOf(plan);
  }

  /** Numbers of seats mean others once there are more or fewer, so none stays chosen. */
  #shown(said: string, before: number | undefined): void {
    this.house = houseOf(this.plan);
    if (this.house.chart.seats.length !== before) this.chosen = new Set();
    if (this.part && ("section" in this.part ? !this.plan.sections[this.part.section] : !this.plan.areas[this.part.area])) this.part = undefined;
    this.notice = said;
    this.problem = "";
    this.changed();
  }

  protected async explain(cause: unknown): Promise<void> {
    if (this.unsaved && standing(cause) !== undefined) {
      this.problem = words.draw.signedOut; // what was drawn is not lost
      return;
    }
    if (await this.turnedAway(cause)) return;
    this.stale ||= cause instanceof Refusal && cause.code === "changed-meanwhile";
    this.problem = problemOf(cause, () => undefined);
  }
}

function* unitsOf(span: Span): Iterable<number> {
  for (let i = 0; i < span.count; i++) yield span.first + i;
}
