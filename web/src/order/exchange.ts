// An exchange of tickets as one fan makes it: what is picked for them, what that comes
// to, and its payment, which is the shop's. The order's key is enough: nobody has to be
// admitted. Components draw it.

import * as api from "../api/booking";
import type { ExchangeQuote, Hold, Order, Performance, TierAvailability } from "../api/documents";
import { Refusal } from "../api/http";
import * as line from "../api/line";
import { final, holdOver } from "../api/refusal";
import { LineClock } from "../line/clock";
import { common, order as orderWords, shop } from "../messages/en";
import { problemOf, Unclear } from "../messages/problem";
import { Acting } from "../shop/acting";
import { forgetAttempt, lastAttempt } from "../shop/attempt";
import { charge, type Send } from "../shop/charge";
import type { Till } from "../shop/Checkout";
import type { Picking } from "../shop/model";
import { type Seat, type SeatState, Units } from "../shop/seats";
import { type Show, showOf } from "../shop/show";
import { stopped } from "../shop/stopped";
import { dropOrder, keepExchange, keepOrder, keptExchange, keptOrders } from "./keep";

const words = orderWords.exchange.problem;

/** What is free, while something is picked. */
const lookEvery = 3_000;
/** While the fan is asked at the bank, perhaps in another tab or on the phone. */
const askEvery = 5_000;
const nothing: ReadonlySet<number> = new Set();

export class Exchange extends Acting implements Till, Picking {
  readonly clock = new LineClock();
  readonly order: Order;
  readonly tickets: string[];
  readonly #key: string;
  readonly #over: () => void;

  /** undefined: not known yet. */
  shows: Performance[] | undefined;
  show: Show | undefined;
  tiers = new Map<string, TierAvailability>();
  asOf: Date | undefined;
  stale = false;
  picked = nothing;
  quote: ExchangeQuote | undefined;
  /** The new order. */
  made: Order | undefined;
  /** The bank's page, while a payment waits there. */
  action: string | undefined;

  #away: string | undefined;
  #units = new Units(0);
  #etag: string | undefined;
  #lookedAt = 0;
  #looking = false;
  #askedAt = 0;
  #asking = false;

  /** Goes on with the exchange of this order that is under way, or begins one of tickets; over: back to the order. */
  constructor(order: Order, key: string, tickets: string[], redraw: () => void, over: () => void) {
    super(redraw);
    const kept = keptExchange(order.id);
    [this.order, this.#key, this.#over] = [order, key, over];
    [this.tickets, this.quote, this.#away] = [kept?.tickets ?? tickets, kept?.quote, kept?.away];
  }

  get email(): string {
    return this.order.email;
  }

  /** What is held, as the shop's parts know it: its total is what is to pay. */
  get hold(): Hold | undefined {
    const quote = this.quote;
    if (!quote) return undefined;
    const { hold: id, performance, lines, expires_at } = quote;
    const total = { amount: quote.to_pay, currency: quote.currency };
    return { id, performance, sale: this.order.sale, units: lines.map((each) => each.unit), lines, total, expires_at, extensions_left: 0, state: "held" };
  }

  /** Back from the bank, and not told yet how it stands. */
  get returning(): boolean {
    return this.#away !== undefined && this.action === undefined;
  }

  /** Called each second. */
  tick(): void {
    if (this.made) return;
    const now = Date.now();
    if (this.#away !== undefined && now - this.#askedAt > askEvery) void this.#askBank();
    if (now - this.#lookedAt > lookEvery) void this.#look();
    const { quote } = this;
    // One that may have been paid for is asked about, not forgotten.
    if (!quote || this.busy || !this.asOf || lastAttempt(quote.hold) || this.clock.until(quote.expires_at) > 0) return;
    this.#setQuote(undefined);
    this.problem = shop.problem.holdExpired;
    this.changed();
  }

  state(unit: number): SeatState {
    return this.#units.state(unit, this.picked, nothing);
  }

  /** As many as tickets: one more takes the place of the first. */
  pick(seat: Seat): void {
    const state = this.state(seat.unit);
    if (this.busy || (state !== "free" && state !== "picked")) return;
    const next = new Set(this.picked);
    if (!next.delete(seat.unit)) {
      if (next.size >= this.tickets.length) next.delete([...next][0]!);
      next.add(seat.unit);
    }
    this.picked = next;
    this.problem = "";
    this.changed();
  }

  choose(id: string): void {
    this.#showOnly(this.shows!.find((show) => show.id === id)!);
    this.problem = "";
    this.changed();
  }

  /** Holds what is wanted, instead of what was held before. Again, after an answer that was lost, it is held once. */
  take(wanted: api.Wanted): Promise<void> {
    return this.act(() => this.#hold(this.show!.performance.id, wanted));
  }

  takePicked(): Promise<void> {
    return this.take({ units: [...this.picked].sort((a, b) => a - b) });
  }

  /** Gives back what is held, to pick something else. What is being paid for stays: there is no way back from that. */
  go(): Promise<void> {
    return this.act(async () => {
      try {
        await api.dropExchange(this.order.id, this.#key);
      } catch (cause) {
        if (cause instanceof Refusal && cause.code === "payment-running") return this.#over();
        console.warn("giving the hold back", cause); // it ends by itself, and no later than with the next one
      }
      this.#setQuote(undefined);
    });
  }

  leave(): void {
    this.#over();
  }

  pay(_email: string, method: string): Promise<void> {
    return this.act(async () => {
      this.#givenUp();
      const made = await this.#charge(this.quote!, method);
      this.#bought(made);
      if (made.action !== undefined) location.assign(made.action);
    });
  }

  #charge(quote: ExchangeQuote, method: string): Promise<Order> {
    const back = location.origin + location.pathname;
    const send: Send = (attempt) => api.exchange(this.order.id, this.#key, attempt, this.tickets, quote, method, back);
    return charge(send, quote.hold, this.email, method);
  }

  /** What came of a payment that was not refused: the new order, or a page to confirm it. */
  #bought(made: Order): void {
    if (made.key !== undefined) keepOrder({ id: made.id, key: made.key, sale: made.sale, at: made.created_at });
    this.action = made.action;
    if (made.action !== undefined) {
      const { id, sale, created_at: at } = this.order;
      // The bank's page leads back here without the key.
      if (!keptOrders().some((kept) => kept.id === id)) keepOrder({ id, key: this.#key, sale, at });
      this.#away = made.id;
      return keepExchange(id, { tickets: this.tickets, quote: this.quote!, away: made.id });
    }
    this.#away = undefined;
    forgetAttempt(this.quote!.hold);
    keepExchange(this.order.id, undefined);
    this.made = made;
  }

  /** A payment that waited at the bank is over, or given up for another one. */
  #givenUp(): void {
    if (this.#away !== undefined) dropOrder(this.#away);
    this.action = this.#away = undefined;
    this.#setQuote(this.quote);
  }

  /** The fan is back from the bank, or still there: the same request again says how it stands. */
  async #askBank(): Promise<void> {
    const [away, quote] = [this.#away, this.quote];
    const attempt = quote && lastAttempt(quote.hold);
    if (!attempt || this.#asking || this.busy) return;
    this.#asking = true;
    try {
      const made = await this.#charge(quote, attempt.method);
      if (this.#away === away) {
        this.problem = "";
        this.#bought(made);
      }
    } catch (cause) {
      if (!final(cause) && this.returning) this.problem = cause instanceof Refusal ? wordsFor(cause) : common.offline;
      if (final(cause) && this.#away === away) {
        this.#givenUp();
        await this.explain(cause);
        if (this.quote) await this.#again(); // it has another deadline now
      }
    }
    this.#askedAt = Date.now();
    this.#asking = false;
    this.changed();
  }

  async #hold(performance: string, wanted: api.Wanted): Promise<void> {
    this.#setQuote(await api.holdExchange(this.order.id, this.#key, this.tickets, performance, wanted));
  }

  /** Holds the same places anew: how long that lasts, or what they cost, has changed. */
  async #again(): Promise<void> {
    const { performance, lines } = this.quote!;
    try {
      await this.#hold(performance, { units: lines.map((each) => each.unit) });
    } catch (cause) {
      this.#setQuote(undefined);
      this.problem = wordsFor(cause);
    }
  }

  #setQuote(quote: ExchangeQuote | undefined): void {
    this.quote = quote;
    this.picked = nothing;
    keepExchange(this.order.id, quote && { tickets: this.tickets, quote, away: this.#away });
  }

  /** Asks what there is, once, and what of it is free. */
  async #look(): Promise<void> {
    if (this.#looking || document.visibilityState === "hidden") return;
    this.#looking = true;
    this.#lookedAt = Date.now();
    try {
      if (!this.shows) await this.#load();
      if (this.show && !(this.quote && this.asOf)) await this.#count(this.show);
      this.stale = false;
    } catch {
      this.stale = true;
    }
    this.#looking = false;
    this.changed();
  }

  async #load(): Promise<void> {
    const { sale, performance } = this.order;
    const ids = await line.sale(sale).then((found) => found.performances, (cause: unknown) => {
      if (cause instanceof Refusal && cause.status === 404) return [performance]; // the line has forgotten it: the sale was long ago
      throw cause;
    });
    const shows = await Promise.all(ids.map(api.performance));
    const first = shows.find((show) => show.id === (this.quote?.performance ?? performance));
    this.shows = shows.filter((show) => Date.parse(show.starts_at) > Date.now());
    const shown = first && this.shows.includes(first) ? first : this.shows[0];
    if (shown) this.#showOnly(shown);
  }

  #showOnly(performance: Performance): void {
    this.show = showOf(performance);
    this.#units = Units.of(performance.tiers);
    this.tiers = new Map();
    this.picked = nothing;
    this.#etag = this.asOf = undefined;
    this.#lookedAt = 0;
    void api.payment(performance.id).catch(() => {}); // asked before it is needed: the form does not move then
  }

  async #count(show: Show): Promise<void> {
    const { body, etag } = await api.availability(show.performance.id, this.#etag);
    if (show !== this.show) return;
    this.#etag = etag;
    if (body) {
      this.clock.hear(body.as_of);
      this.#units.set(body);
      this.tiers = new Map(show.performance.tiers.map((tier) => [tier.id, this.#units.left(tier)]));
      this.#dropTaken();
    }
    this.asOf = new Date(this.clock.now());
  }

  /** A picked seat that somebody else took is no pick any more. */
  #dropTaken(): void {
    const left = [...this.picked].filter((unit) => this.#units.free(unit));
    if (this.busy || left.length === this.picked.size) return;
    this.picked = new Set(left);
    this.problem = shop.problem.taken;
  }

  protected async explain(cause: unknown): Promise<void> {
    this.problem = wordsFor(cause);
    if (!(cause instanceof Refusal)) return;
    if (cause.code === "units-taken") [this.picked, this.#etag, this.#lookedAt] = [nothing, undefined, 0];
    if (!this.quote) return;
    if (holdOver(cause)) this.#setQuote(undefined);
    if (cause.code === "price-changed" || cause.code === "refund-changed") await this.#again();
    if (cause.code === "hold-sold") {
      this.#setQuote(undefined);
      this.#over(); // where the receipt says for what
    }
  }
}

const known: Record<string, string> = {
  "exchange-running": words.running,
  "payment-running": words.running,
  "exchange-closed": words.closed,
  "exchange-elsewhere": words.elsewhere,
  "exchange-account": words.account,
  "exchange-coupon": words.coupon,
  "tickets-not-valid": words.gone,
  "sold-at-counter": words.counter,
  "order-disputed": words.disputed,
  "order-dispute-lost": words.lost,
  "units-taken": shop.problem.taken,
  "sold-out": shop.problem.soldOut,
  "too-many-units": shop.problem.tooMany,
  "hold-expired": shop.problem.holdExpired,
  "hold-unknown": shop.problem.holdExpired,
  "hold-released": shop.problem.holdExpired,
  "price-changed": shop.problem.price,
  "refund-changed": words.less,
  "payment-declined": shop.problem.declined,
  "card-limit": shop.problem.cardLimit,
  "network-limit": shop.problem.networkLimit,
};

function wordsFor(cause: unknown): string {
  return cause instanceof Unclear ? words.unclear : problemOf(cause, (refusal) => known[refusal.code] ?? stopped(refusal), words.unsent);
}
