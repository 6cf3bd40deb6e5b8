// An offer of the returns list as its fan pays for it: the same payment as in the shop,
// with the offer's own pass instead of an admission.

import type { Hold, Order } from "../api/documents";
import { Refusal } from "../api/http";
import { holdOver } from "../api/refusal";
import * as api from "../api/returns";
import { couponProblem } from "../coupons/problem";
import type { LineClock } from "../line/clock";
import { returns as words, shop } from "../messages/en";
import { problemOf } from "../messages/problem";
import { keepOrder } from "../order/keep";
import { Acting } from "../shop/acting";
import { attemptFor, forgetAttempt, lastAttempt } from "../shop/attempt";
import { charge } from "../shop/charge";
import type { Till } from "../shop/Checkout";

/** While the fan is asked at the bank, perhaps in another tab. */
const askEvery = 5_000;

export class Offer extends Acting implements Till {
  readonly clock: LineClock;
  readonly pass: string;
  readonly #over: () => void;

  hold: Hold;
  order: Order | undefined;
  action: string | undefined;
  email = "";

  constructor(hold: Hold, pass: string, clock: LineClock, redraw: () => void, over: () => void) {
    super(redraw);
    [this.hold, this.pass, this.clock, this.#over] = [hold, pass, clock, over];
    const before = lastAttempt(hold.id);
    if (before && hold.state === "paying") void this.pay(before.email, before.method, "", true); // back from the bank
  }

  /** Goes back to the place without paying; the offer stays as long as it says. */
  go(): void {
    this.#over();
  }

  async extend(): Promise<void> {
    await this.act(async () => {
      this.hold = await api.extend(this.hold.id, this.pass);
    });
  }

  async lower(code: string, key: string): Promise<void> {
    await this.act(async () => {
      this.hold = await api.lower(this.hold.id, this.pass, code, key);
    });
  }

  async raise(): Promise<void> {
    await this.act(async () => {
      this.hold = await api.raise(this.hold.id, this.pass);
    });
  }

  async pay(email: string, method: string, newsletter = "", asks = false): Promise<void> {
    await this.act(async () => {
      const back = location.origin + location.pathname;
      const order = await charge((attempt) => api.pay(attempt, this.pass, this.hold, email, method, back, newsletter), this.hold.id, email, method);
      if (order.key !== undefined) keepOrder({ id: order.id, key: order.key, sale: order.sale, at: order.created_at });
      this.action = order.action;
      if (order.action !== undefined) {
        attemptFor(this.hold.id, email, method);
        if (!asks) location.assign(order.action);
        else setTimeout(() => void this.pay(email, method, newsletter, true), askEvery);
        return;
      }
      forgetAttempt(this.hold.id);
      this.order = order;
    });
  }

  protected explain(cause: unknown): void {
    this.action = undefined;
    this.problem = problemOf(cause, oursFor);
    if (holdOver(cause) || (cause instanceof Refusal && cause.code === "pass-invalid")) this.#over();
  }
}

const known: Record<string, string> = {
  "hold-expired": words.problem.over,
  "hold-not-extendable": shop.problem.notExtendable,
  "email-invalid": shop.problem.email,
  "price-changed": shop.problem.price,
  "payment-declined": shop.problem.declined,
  "place-limit": shop.problem.inAll,
};
const oursFor = (refusal: Refusal) => known[refusal.code] ?? couponProblem(refusal.code, refusal.retryAfter);
