// The counter as one member of staff works at it: what is left, picked, held, sold.
// Components draw it.

import { availability, performance as fetchPerformance, watchAddress } from "../api/booking";
import * as api from "../api/counter";
import { Disconnected, nonce, Refusal } from "../api/http";
import { Once } from "../api/once";
import { holdOver } from "../api/refusal";
import { Working } from "../desk/working";
import { LineClock } from "../line/clock";
import { counter as words } from "../messages/en";
import { problemOf, Unclear } from "../messages/problem";
import { type Seat, type SeatState, Units } from "../shop/seats";
import { type Show, showOf } from "../shop/show";
import { Watch } from "../shop/watch";
import { insist, type Open } from "./insist";
import { keep, kept } from "./keep";

const pollEvery = 2_000;

export class Counter extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["sre", "boxoffice"];
  readonly clock = new LineClock();

  desk: api.Desk | undefined;
  shows: api.Listing[] | undefined;
  show: Show | undefined;
  live = false;
  reserve = "";
  picked: ReadonlySet<number> = new Set();
  hold: api.CounterHold | undefined;
  /** A sale whose answer was lost. */
  open: Open | undefined;
  asking = false;
  sold: api.Sold | undefined;
  receipt: api.Receipt | undefined;
  takings: api.Takings[] = [];

  #mine: ReadonlySet<number> = new Set();
  #units = new Units(0);
  #watch: Watch | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #once = new Once();

  get performance(): string {
    return this.show?.performance.id ?? "";
  }

  /** Signs in, if there is a key, and goes on where this tab was. */
  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      this.shows = await api.performances();
      const was = kept();
      const first = this.shows.find((each) => each.id === was.performance) ?? this.shows.find((each) => Date.parse(each.starts_at) > Date.now()) ?? this.shows[0];
      if (!first) return;
      this.desk = await api.desk(first.id);
      this.staff = "yes";
      await this.#choose(first.id);
      this.open = was.open;
      if (was.hold) await this.#found(was.hold);
      this.#keep();
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.#watch?.close();
      clearTimeout(this.#timer);
      this.desk = this.sold = this.receipt = undefined;
      this.takings = [];
    });
  }

  choose(id: string): Promise<void> {
    return this.act(async () => {
      if (this.hold) await api.release(this.performance, this.hold.id);
      this.#setHold(undefined);
      await this.#choose(id);
      this.#keep();
    });
  }

  sellFrom(reserve: string): void {
    this.reserve = reserve;
    this.clear();
  }

  state(unit: number): SeatState {
    const state = this.#units.state(unit, this.picked, this.#mine);
    // What is kept may be picked to be sold from there; the server says what is.
    return this.reserve !== "" && state === "closed" ? (this.picked.has(unit) ? "picked" : "free") : this.reserve !== "" && state === "free" ? "closed" : state;
  }

  left(tier: string): { free: number; kept: number } {
    const of = this.show!.performance.tiers.find((each) => each.id === tier)!;
    const kept = this.desk?.reserves.find((each) => each.name === this.reserve)?.tiers.find((each) => each.tier === tier)?.units ?? 0;
    return { free: this.#units.left(of).free, kept };
  }

  pick(seat: Seat): void {
    const state = this.state(seat.unit);
    if (this.hold || this.busy || (state !== "free" && state !== "picked")) return;
    const next = new Set(this.picked);
    if (!next.delete(seat.unit)) next.add(seat.unit);
    this.picked = next;
    this.problem = "";
    this.changed();
  }

  clear(): void {
    this.picked = new Set();
    this.problem = "";
    this.changed();
  }

  /** Holds what is wished. The same wish again, after an answer that was lost, is the same hold. */
  take(wish: api.Wish): Promise<void> {
    const full = this.reserve === "" ? wish : { ...wish, reserve: this.reserve };
    return this.act(async () => {
      const key = this.#once.key(JSON.stringify([this.performance, full]));
      const hold = await insist(() => api.hold(this.performance, key, full), this.#asks).catch((cause: unknown) => {
        if (cause instanceof Refusal && cause.status < 500) this.#once.answered();
        throw cause;
      });
      this.#once.answered();
      this.sold = this.receipt = undefined;
      this.#setHold(hold);
      this.picked = new Set();
    });
  }

  takePicked(): Promise<void> {
    return this.take({ units: [...this.picked].sort((a, b) => a - b) });
  }

  drop(): Promise<void> {
    return this.act(async () => {
      await api.release(this.performance, this.hold!.id);
      this.#setHold(undefined);
      this.notice = words.dropped;
    });
  }

  coupon(code: string): Promise<void> {
    return this.act(async () => this.#setHold(await (code === "" ? api.dropCoupon(this.performance, this.hold!.id) : api.setCoupon(this.performance, this.hold!.id, code))));
  }

  /** Sells what is held. One whose answer was lost is asked for again as it was, whatever was pressed. */
  sell(tender: api.Tender, email: string): Promise<void> {
    return this.act(async () => {
      const hold = this.hold;
      if (!this.open && hold) {
        const total = tender === "complimentary" ? { ...hold.total, amount: 0 } : hold.total;
        this.open = { performance: this.performance, key: nonce(), sale: { hold: hold.id, tender, total, ...(email === "" ? {} : { email }) } };
        this.#keep();
      }
      const open = this.open!;
      try {
        this.sold = await insist(() => api.sell(open.performance, open.key, open.sale), this.#asks);
      } catch (cause) {
        if (cause instanceof Disconnected) throw new Unclear(words.unclear);
        if (cause instanceof Refusal && cause.status < 500 && ![401, 403, 429].includes(cause.status) && cause.code !== "payment-running") this.open = undefined;
        this.#keep();
        throw cause;
      }
      this.open = undefined;
      this.#setHold(undefined);
      this.receipt = await api.receipt(this.sold.id).catch(() => undefined);
      await this.#count().catch(() => {}); // it is sold, whatever becomes of this
    });
  }

  next(): void {
    this.sold = this.receipt = undefined;
    this.notice = this.problem = "";
    this.changed();
  }

  find(id: string): Promise<void> {
    return this.act(async () => {
      const [sold, receipt] = await Promise.all([api.order(id), api.receipt(id)]);
      [this.sold, this.receipt] = [sold, receipt];
    });
  }

  cancel(how: Parameters<typeof api.cancel>[1]): Promise<void> {
    return this.act(async () => {
      const id = this.sold!.id;
      // The same tickets again change nothing, so a lost answer is simply asked for again.
      this.receipt = await insist(() => api.cancel(id, how), this.#asks);
      this.sold = await api.order(id);
      this.notice = words.cancel.done;
      await this.#count().catch(() => {});
    });
  }

  count(): Promise<void> {
    return this.act(() => this.#count());
  }

  async #count(): Promise<void> {
    const today = new Date();
    today.setHours(0, 0, 0, 0);
    this.takings = await api.takings(this.performance, today.toISOString());
  }

  async #choose(id: string): Promise<void> {
    this.#watch?.close();
    clearTimeout(this.#timer);
    this.desk = await api.desk(id);
    const performance = await fetchPerformance(id);
    this.show = showOf(performance);
    this.#units = Units.of(performance.tiers);
    this.picked = new Set();
    this.reserve = "";
    this.sold = this.receipt = undefined;
    await this.#look();
    await this.#count();
    this.#watch = new Watch({
      open: (query) => new WebSocket(watchAddress(id, query, location)),
      onFrame: (frame, runs, all) => {
        this.live = frame.stale !== true;
        if (this.live) this.clock.hear(frame.as_of);
        this.#units.change(runs, all);
        this.#dropTaken();
        this.changed();
      },
      onLive: (live) => {
        this.live = live;
        this.#lookIn(live ? undefined : pollEvery);
        this.changed();
      },
      random: Math.random,
    });
  }

  /** Asks what is left, while nobody tells. */
  async #look(): Promise<void> {
    const id = this.performance;
    const { body } = await availability(id, undefined);
    if (id !== this.performance || this.#watch?.live || !body) return;
    this.clock.hear(body.as_of);
    this.#units.set(body);
    this.#watch?.distrust();
    this.live = true;
    this.#dropTaken();
  }

  #lookIn(milliseconds: number | undefined): void {
    clearTimeout(this.#timer);
    if (milliseconds === undefined || this.staff !== "yes") return;
    this.#timer = setTimeout(async () => {
      await this.#look().catch(() => (this.live = false));
      this.changed();
      if (!this.#watch?.live) this.#lookIn(pollEvery);
    }, milliseconds);
  }

  #dropTaken(): void {
    if (this.busy) return;
    const left = [...this.picked].filter((unit) => this.state(unit) === "picked");
    if (left.length === this.picked.size) return;
    this.picked = new Set(left);
    this.problem = words.problem.taken;
  }

  async #found(id: string): Promise<void> {
    try {
      this.#setHold(await api.held(this.performance, id));
    } catch (cause) {
      if (!(cause instanceof Refusal) || cause.status >= 500 || cause.status === 401) throw cause;
      this.#setHold(undefined);
    }
  }

  #setHold(hold: api.CounterHold | undefined): void {
    this.hold = hold;
    this.#mine = new Set(hold?.units ?? []);
    this.#keep();
  }

  #keep(): void {
    keep({ performance: this.performance, hold: this.hold?.id, open: this.open });
  }

  #asks = (again: boolean) => {
    this.asking = again;
    this.changed();
  };

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, (refusal) => known[refusal.code], words.problem.offline);
    if (!(cause instanceof Refusal) || !this.hold) return;
    if (holdOver(cause) || cause.code === "hold-sold") this.#setHold(undefined);
    if (cause.code === "price-changed" || cause.code.startsWith("coupon-")) await this.#found(this.hold.id).catch(() => {});
  }
}

const known: Record<string, string> = {
  "units-taken": words.problem.taken,
  "sold-out": words.problem.soldOut,
  "hold-expired": words.problem.holdOver,
  "hold-unknown": words.problem.holdOver,
  "hold-released": words.problem.holdOver,
  "price-changed": words.problem.price,
  "too-many-units": words.problem.quantity,
  "order-unknown": words.problem.orderUnknown,
  "coupon-unknown": words.problem.couponUnknown,
  "coupon-guesses": words.problem.guesses,
};
