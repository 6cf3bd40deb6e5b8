// An offer of the returns list as its fan pays for it: the same payment as in the shop,
// with the offer's own pass instead of an admission.

import type { Hold, Order } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { couponProblem } from "../coupons/problem";
import * as api from "../api/returns";
import type { LineClock } from "../line/clock";
import { common, returns as words, shop } from "../messages/en";
import { keepOrder } from "../order/keep";
import { attemptFor, forgetAttempt, lastAttempt } from "../shop/attempt";
import { charge } from "../shop/charge";
import type { Till } from "../shop/Checkout";

/** While the fan is asked at the bank, perhaps in another tab. */
const askEvery = 5_000;

export class Offer implements Till {
  readonly clock: LineClock;
  readonly pass: string;
  readonly #changed: () => void;
  readonly #over: () => void;

  hold: Hold;
  order: Order | undefined;
  action: string | undefined;
  email = "";
  busy = false;
  problem = "";
  notice = "";

  constructor(hold: Hold, pass: string, clock: LineClock, changed: () => void, over: () => void) {
    [this.hold, this.pass, this.clock, this.#changed, this.#over] = [hold, pass, clock, changed, over];
    const before = lastAttempt(hold.id);
    if (before && hold.state === "paying") void this.pay(before.email, before.method, true); // back from the bank
  }

  /** Goes back to the place without paying; the offer stays as long as it says. */
  go(): void {
    this.#over();
  }

  async extend(): Promise<void> {
    await this.#act(async () => {
      this.hold = await api.extend(this.hold.id, this.pass);
    });
  }

  async lower(code: string, key: string): Promise<void> {
    await this.#act(async () => {
      this.hold = await api.lower(this.hold.id, this.pass, code, key);
    });
  }

  async raise(): Promise<void> {
    await this.#act(async () => {
      this.hold = await api.raise(this.hold.id, this.pass);
    });
  }

  async pay(email: string, method: string, asks = false): Promise<void> {
    await this.#act(async () => {
      const back = location.origin + location.pathname;
      const order = await charge((attempt) => api.pay(attempt, this.pass, this.hold, email, method, back), this.hold.id, email, method);
      if (order.key !== undefined) keepOrder({ id: order.id, key: order.key, sale: order.sale, at: order.created_at });
      this.action = order.action;
      if (order.action !== undefined) {
        attemptFor(this.hold.id, email, method);
        if (!asks) location.assign(order.action);
        else setTimeout(() => void this.pay(email, method, true), askEvery);
        return;
      }
      forgetAttempt(this.hold.id);
      this.order = order;
    });
  }

  async #act(action: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = "";
    this.#changed();
    try {
      await action();
    } catch (cause) {
      this.action = undefined;
      this.problem = wordsFor(cause);
      if (cause instanceof Refusal && ["hold-expired", "hold-unknown", "hold-released", "pass-invalid"].includes(cause.code)) this.#over();
    }
    this.busy = false;
    this.#changed();
  }
}

function wordsFor(cause: unknown): string {
  if (cause instanceof Disconnected) return common.offline;
  if (!(cause instanceof Refusal)) return cause instanceof Error && cause.message ? cause.message : common.trouble;
  const known: Record<string, string> = {
    "hold-expired": words.problem.over,
    "hold-not-extendable": shop.problem.notExtendable,
    "email-invalid": shop.problem.email,
    "price-changed": shop.problem.price,
    "payment-declined": shop.problem.declined,
    "place-limit": shop.problem.inAll,
    "rate-limited": common.tooOften,
  };
  return known[cause.code] ?? couponProblem(cause.code, cause.retryAfter) ?? (cause.message || common.trouble);
}
