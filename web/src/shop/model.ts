// The shop as one fan uses it: what is for sale, what is picked, held and
// paid. Components draw it.

import { Booking, availability, performance as fetchPerformance, type Wanted, watchAddress } from "../api/booking";
import type { Admission, Hold, Money, Order, Performance, Sale, TierAvailability } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import * as line from "../api/line";
import { final, holdOver } from "../api/refusal";
import { couponProblem } from "../coupons/problem";
import { LineClock } from "../line/clock";
import { coupons, shop as words } from "../messages/en";
import { money } from "../messages/format";
import { problemOf } from "../messages/problem";
import { dropOrder, keepOrder } from "../order/keep";
import { Acting } from "./acting";
import { AdmissionKeeper, type Closed } from "./admission";
import { awayOf, comeBack, forgetAttempt, goAway, lastAttempt } from "./attempt";
import { charge, type Send } from "./charge";
import { type Seat, type SeatState, Units } from "./seats";
import { type Show, showOf } from "./show";
import { stopped } from "./stopped";
import { Watch } from "./watch";

export type Step = "pick" | "pay" | "paid";

const pollEvery = 1_000;
const pollMost = 10_000;
/** While the fan is asked at the bank, perhaps in another tab or on the phone. */
const askEvery = 5_000;
/** How long the socket may be away before the page asks by HTTP. */
const patience = 2_000;

/** What a map or a list of seats asks of whoever sells them. */
export type Picking = Pick<Shop, "state" | "pick">;

export class Shop extends Acting {
  readonly saleId: string;
  readonly clock = new LineClock();
  readonly #booking: Booking;
  readonly #keeper: AdmissionKeeper;

  closed: Closed | "left" | undefined;
  sale: Sale | undefined;
  admission: Admission | undefined;
  shows: Performance[] = [];
  show: Show | undefined;
  tiers = new Map<string, TierAvailability>();
  asOf: Date | undefined;
  stale = false;
  picked: ReadonlySet<number> = new Set();
  hold: Hold | undefined;
  order: Order | undefined;
  /** The bank's page, while a payment waits there. */
  action: string | undefined;
  /** Of a payment that came to nothing while this page was away. */
  email = "";
  step: Step = "pick";

  #mine: ReadonlySet<number> = new Set();
  #units = new Units(0);
  #watch: Watch | undefined;
  #etag: string | undefined;
  #failures = 0;
  #pollTimer: ReturnType<typeof setTimeout> | undefined;
  #polling = false;
  #checkedExpiry = "";
  #asking = false;
  #askedAt = 0;

  constructor(saleId: string, redraw: () => void) {
    super(redraw);
    this.saleId = saleId;
    this.#booking = new Booking(saleId);
    this.#keeper = new AdmissionKeeper({
      renew: () => line.renew(saleId),
      onAdmitted: (admission) => this.#admitted(admission),
      onClosed: (why) => this.#close(why),
      now: Date.now,
    });
  }

  /** From heartbeat.ts. */
  beat(): void {
    this.#keeper.beat();
  }

  /** The page is looked at again. */
  wake(): void {
    if (this.closed) return;
    void this.#keeper.renew();
    this.#watch?.wake();
    if (!this.show) return;
    this.#pollIn(patience);
    void this.#askBank();
  }

  /** Called each second: a hold whose time ran out is looked up once. */
  tick(): void {
    if (this.action !== undefined && Date.now() - this.#askedAt > askEvery) void this.#askBank();
    const hold = this.hold;
    if (!hold || this.busy || this.clock.until(hold.expires_at) > 0 || this.#checkedExpiry === hold.expires_at) return;
    this.#checkedExpiry = hold.expires_at;
    void this.act(async () => {
      await this.#findHold();
      if (!this.hold) this.problem = words.problem.holdExpired;
    });
  }

  state(unit: number): SeatState {
    return this.#units.state(unit, this.picked, this.#mine);
  }

  get limit(): number {
    return this.sale?.units_per_hold ?? 1;
  }

  pick(seat: Seat): void {
    const state = this.state(seat.unit);
    if (this.hold || this.busy || (state !== "free" && state !== "picked")) return;
    const next = new Set(this.picked);
    this.problem = "";
    if (!next.delete(seat.unit)) {
      if (next.size >= this.limit) this.problem = words.basket.full(this.limit);
      else next.add(seat.unit);
    }
    this.picked = next;
    this.changed();
  }

  clear(): void {
    this.picked = new Set();
    this.problem = "";
    this.changed();
  }

  go(step: Step): void {
    this.step = step;
    this.problem = "";
    this.changed();
  }

  take(wanted: Wanted): Promise<void> {
    return this.act(async () => {
      try {
        this.#setHold(await this.#booking.hold(this.show!.performance.id, wanted));
        this.picked = new Set();
      } catch (cause) {
        // Held by another tab of ours, or by an answer that was lost: show it.
        if (cause instanceof Refusal && cause.code === "hold-exists") await this.#findHold();
        if (cause instanceof Disconnected) await this.#findHold();
        if (!this.hold) throw cause;
      }
    });
  }

  takePicked(): Promise<void> {
    return this.take({ units: [...this.picked].sort((a, b) => a - b) });
  }

  extend(): Promise<void> {
    return this.act(async () => {
      this.#setHold(await this.#booking.extend(this.hold!.id));
      this.notice = words.basket.extended;
    });
  }

  /** Lowers what the hold costs by a coupon; key: of the bag that has it. */
  lower(code: string, key: string): Promise<void> {
    return this.act(async () => {
      const hold = await this.#booking.lower(this.hold!.id, code, key);
      this.#setHold(hold);
      if (hold.coupon) this.notice = coupons.pay.applied(hold.coupon.title, money(hold.coupon.discount));
    });
  }

  /** Takes the coupon off the hold. */
  raise(): Promise<void> {
    return this.act(async () => {
      this.#setHold(await this.#booking.raise(this.hold!.id));
      this.notice = coupons.pay.takenOff;
    });
  }

  drop(): Promise<void> {
    return this.act(async () => {
      await this.#booking.drop(this.hold!.id);
      this.#setHold(undefined);
    });
  }

  pay(email: string, method: string, newsletter = ""): Promise<void> {
    const hold = this.hold!;
    return this.act(async () => {
      this.#refused();
      const order = await charge(this.#send(hold, email, method, newsletter), hold.id, email, method);
      this.#bought(hold.id, order);
      if (order.action !== undefined) location.assign(order.action);
    });
  }

  #send(hold: { id: string; total?: Money }, email: string, method: string, newsletter = ""): Send {
    return (attempt) => this.#booking.order(attempt, hold, email, method, location.origin + location.pathname, newsletter);
  }

  /** What came of a payment that was not refused: an order, or a page to confirm it. */
  #bought(hold: string, order: Order): void {
    if (order.key !== undefined) keepOrder({ id: order.id, key: order.key, sale: this.saleId, at: order.created_at });
    this.action = order.action;
    if (order.action !== undefined) return goAway(this.saleId, { hold, order: order.id });
    comeBack(this.saleId);
    forgetAttempt(hold);
    this.order = order;
    this.#setHold(undefined);
    this.step = "paid";
  }

  /** A payment that waited at the bank is over, or given up for another one. */
  #refused(): void {
    const away = awayOf(this.saleId);
    this.action = undefined;
    comeBack(this.saleId);
    if (away) dropOrder(away.order);
  }

  /** The fan is back from the bank, or still there: the same request again says how it stands. */
  async #askBank(): Promise<void> {
    const away = awayOf(this.saleId);
    const attempt = away && lastAttempt(away.hold);
    if (!away || !attempt || this.#asking || this.busy || this.closed) return;
    this.#asking = true;
    try {
      const order = await charge(this.#send({ id: away.hold }, attempt.email, attempt.method), away.hold, attempt.email, attempt.method);
      if (awayOf(this.saleId)?.order === away.order) this.#bought(away.hold, order);
      if (this.hold && order.action !== undefined) this.step = "pay";
    } catch (cause) {
      if (final(cause) && awayOf(this.saleId)?.order === away.order) {
        this.#refused();
        this.email = attempt.email;
        await this.#findHold().catch(() => {}); // it has another deadline now
        if (this.hold) this.step = "pay";
        await this.explain(cause);
      }
    }
    this.#askedAt = Date.now();
    this.#asking = false;
    this.changed();
  }

  more(): void {
    this.order = undefined;
    this.go("pick");
  }

  choose(id: string): Promise<void> {
    return this.act(() => this.#showOnly(id));
  }

  leave(): Promise<void> {
    return this.act(async () => {
      // Whoever goes gives back what they hold. If that fails, it comes back when the hold runs out: no reason to keep anybody.
      if (this.hold) await this.#booking.drop(this.hold.id).catch((cause: unknown) => console.warn("giving the hold back", cause));
      try {
        await line.endSession(this.saleId);
      } catch (cause) {
        if (!(cause instanceof Refusal && [401, 410].includes(cause.status))) throw cause;
      }
      this.#close("left");
    });
  }

  /** Asks what is free, and plans to ask again as long as nobody tells. */
  async poll(): Promise<void> {
    const show = this.show;
    if (!show || this.#polling || this.closed || this.#watch?.live) return;
    this.#polling = true;
    clearTimeout(this.#pollTimer);
    try {
      if (document.visibilityState === "visible") {
        const answer = await availability(show.performance.id, this.#etag);
        if (show === this.show && !this.#watch?.live) {
          this.#etag = answer.etag;
          this.asOf = new Date(this.clock.now());
          if (answer.body) {
            this.clock.hear(answer.body.as_of);
            this.#units.set(answer.body);
            this.#watch?.distrust(); // frames go on from what they said themselves
            this.#counted();
          }
        }
      }
      this.#failures = 0;
      this.stale = false;
    } catch {
      this.#failures++;
      this.stale = this.#failures > 1; // one lost answer is nothing to tell
    }
    this.#polling = false;
    this.#pollIn(Math.min(pollMost, pollEvery * 2 ** this.#failures) * (0.9 + Math.random() * 0.2));
    this.changed();
  }

  /** By then somebody may tell again, and it asks nothing. */
  #pollIn(milliseconds: number): void {
    clearTimeout(this.#pollTimer);
    if (!this.closed) this.#pollTimer = setTimeout(() => void this.poll(), milliseconds);
  }

  /** Lets somebody tell what becomes of the units on screen. */
  #follow(show: Show): void {
    this.#watch = new Watch({
      open: (query) => new WebSocket(watchAddress(show.performance.id, query, location)),
      onFrame: (frame, runs, all) => {
        this.asOf = new Date(frame.as_of);
        this.stale = frame.stale === true;
        if (!this.stale) this.clock.hear(frame.as_of);
        if (all || runs.length > 0) {
          this.#units.change(runs, all);
          this.#counted();
        }
        this.changed();
      },
      onLive: () => this.#pollIn(patience),
      random: Math.random,
    });
  }

  /** The units are known anew. */
  #counted(): void {
    this.tiers = new Map(this.show!.performance.tiers.map((tier) => [tier.id, this.#units.left(tier)]));
    this.#dropTaken();
  }

  /** A picked seat that somebody else took is no pick any more. */
  #dropTaken(): void {
    if (this.busy) return;
    const left = [...this.picked].filter((unit) => this.#units.free(unit));
    if (left.length === this.picked.size) return;
    this.picked = new Set(left);
    this.problem = words.problem.taken;
  }

  #admitted(admission: Admission): void {
    const first = this.admission === undefined;
    this.admission = admission;
    if (first) void this.act(() => this.#load());
    else this.changed();
  }

  async #load(): Promise<void> {
    const sale = await line.sale(this.saleId);
    this.clock.hear(sale.status.now);
    const shows = await Promise.all(sale.performances.map(fetchPerformance));
    if (shows.length === 0) return this.#close("missing");
    this.sale = sale;
    this.shows = shows;
    await this.#findHold();
    const wanted = shows.find((show) => show.id === this.hold?.performance) ?? shows[0]!;
    await this.#showOnly(wanted.id);
    this.busy = false; // it is there to be looked at
    await this.#askBank();
  }

  async #showOnly(id: string): Promise<void> {
    const performance = this.shows.find((show) => show.id === id);
    if (!performance) return;
    this.show = showOf(performance);
    this.#etag = undefined;
    this.#units = Units.of(performance.tiers);
    this.picked = new Set();
    this.#watch?.close(); // it tells of another one
    this.#watch = undefined;
    await this.poll();
    this.#follow(this.show);
  }

  async #findHold(): Promise<void> {
    const holds = await this.#booking.holds();
    this.#setHold(holds.find((hold) => hold.sale === this.saleId));
  }

  #setHold(hold: Hold | undefined): void {
    this.hold = hold;
    this.#mine = new Set(hold?.units ?? []);
    if (hold) this.picked = new Set();
    else if (this.step === "pay") this.step = "pick"; // the next hold is looked at before it is paid
    this.#etag = undefined; // the next answer counts in full
    void this.poll();
  }

  protected override act(action: () => Promise<void>): Promise<void> {
    return this.closed ? Promise.resolve() : super.act(action);
  }

  protected async explain(cause: unknown): Promise<void> {
    this.problem = problemOf(cause, oursFor);
    if (!(cause instanceof Refusal)) return;
    if (cause.code.startsWith("token-") || cause.code === "session-over") void this.#keeper.renew(); // it knows whether all is over
    if (holdOver(cause)) this.#setHold(undefined);
    if (cause.code === "price-changed" || cause.code.startsWith("coupon-")) await this.#findHold(); // with the new price
    if (this.hold?.coupon?.problem?.endsWith(`:${cause.code}`)) this.problem = ""; // told where the coupon is
    if (cause.code === "units-taken") {
      this.#etag = undefined;
      this.picked = new Set();
      await this.poll();
    }
  }

  #close(why: Closed | "left"): void {
    this.closed = why;
    this.#keeper?.stop();
    this.#watch?.close();
    clearTimeout(this.#pollTimer);
    this.changed();
  }
}

const known: Record<string, string> = {
  "units-taken": words.problem.taken,
  "sold-out": words.problem.soldOut,
  "hold-exists": words.problem.exists,
  "too-many-units": words.problem.tooMany,
  "place-limit": words.problem.inAll,
  "hold-expired": words.problem.holdExpired,
  "hold-unknown": words.problem.holdExpired,
  "hold-not-extendable": words.problem.notExtendable,
  "email-invalid": words.problem.email,
  "price-changed": words.problem.price,
  "payment-declined": words.problem.declined,
  "card-limit": words.problem.cardLimit,
  "network-limit": words.problem.networkLimit,
};
const oursFor = (refusal: Refusal) => known[refusal.code] ?? couponProblem(refusal.code, refusal.retryAfter) ?? stopped(refusal);
