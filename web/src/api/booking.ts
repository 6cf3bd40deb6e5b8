// The routes of the booking core. What needs an admission names the sale, so
// that the right one of this browser's admission cookies is used.

import { lower, raise } from "./coupons";
import type { Availability, ExchangeQuote, Hold, Money, Order, Passes, Payment, Performance, Receipt, Reminder } from "./documents";
import { download } from "./download";
import { call } from "./http";

export const performance = async (id: string) => (await call<Performance>("GET", `/api/v1/performances/${encodeURIComponent(id)}`)).body;

const payments = new Map<string, Payment>();

/** How a performance is paid for, as far as it was asked. */
export const knownPayment = (performance: string) => payments.get(performance);

export async function payment(performance: string): Promise<Payment> {
  const { body } = await call<Payment>("GET", `/api/v1/performances/${encodeURIComponent(performance)}/payment`);
  payments.set(performance, body);
  return body;
}

/** undefined body: nothing changed since the ETag. */
export async function availability(id: string, etag: string | undefined): Promise<{ body: Availability | undefined; etag: string | undefined }> {
  const path = `/api/v1/performances/${encodeURIComponent(id)}/availability`;
  const answer = await call<Availability | undefined>("GET", path, { headers: etag ? { "If-None-Match": etag } : {}, accept: [304] });
  return answer.status === 304 ? { body: undefined, etag } : { body: answer.body, etag: answer.headers.get("ETag") ?? undefined };
}

/** Where what becomes of a performance's units is told live. */
export function watchAddress(id: string, query: string, page: Location): string {
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}/api/v1/performances/${encodeURIComponent(id)}/availability/live${query}`;
}

export type Wanted = { units: number[] } | { tier: string; quantity: number };

export class Booking {
  readonly #headers: Record<string, string>;

  constructor(sale: string) {
    this.#headers = { "Ropeline-Sale": sale };
  }

  async holds(): Promise<Hold[]> {
    return (await call<{ holds: Hold[] }>("GET", "/api/v1/holds", { headers: this.#headers })).body.holds;
  }

  async hold(performance: string, wanted: Wanted): Promise<Hold> {
    return (await call<Hold>("POST", "/api/v1/holds", { headers: this.#headers, body: { performance, ...wanted } })).body;
  }

  async extend(hold: string): Promise<Hold> {
    return (await call<Hold>("POST", `/api/v1/holds/${hold}/extend`, { headers: this.#headers, body: {} })).body;
  }

  async drop(hold: string): Promise<void> {
    await call("DELETE", `/api/v1/holds/${hold}`, { headers: this.#headers });
  }

  /** attempt: the idempotency key; the same one never charges twice. back: where a bank's page leads to, the same each time, too. newsletter: the words that the fan agreed to. */
  async order(attempt: string, hold: { id: string; total?: Money }, email: string, method: string, back: string, newsletter = ""): Promise<Order> {
    const headers = { ...this.#headers, "Idempotency-Key": attempt };
    return (await call<Order>("POST", "/api/v1/orders", { headers, body: { hold: hold.id, total: hold.total, email, payment_method: method || undefined, return_url: back, newsletter: newsletter || undefined } })).body;
  }

  /** key: of the bag that has the coupon; a shareable one needs none. */
  async lower(hold: string, code: string, key: string): Promise<Hold> {
    return lower(this.#headers, hold, code, key);
  }

  async raise(hold: string): Promise<Hold> {
    return raise(this.#headers, hold);
  }
}

const orders = (id: string) => `/api/v1/orders/${encodeURIComponent(id)}`;
const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

export const order = async (id: string, key: string) => (await call<Order>("GET", orders(id), bearer(key))).body;

export const receipt = async (id: string, key: string) => (await call<Receipt>("GET", `${orders(id)}/receipt`, bearer(key))).body;

export const passes = async (id: string, key: string) => (await call<Passes>("GET", `${orders(id)}/passes`, bearer(key))).body;

const reminderOf = (id: string) => `${orders(id)}/reminder`;
export const reminder = async (id: string, key: string) => (await call<Reminder>("GET", reminderOf(id), bearer(key))).body;
export const remind = async (id: string, key: string, days: number) => (await call<Reminder>("PUT", reminderOf(id), { ...bearer(key), body: { days } })).body;

/** A file of an order's, as it is to be kept. */
export const paper = (id: string, key: string, file: "tickets.pdf" | "calendar.ics"): Promise<Blob> => download(`${orders(id)}/${file}`, bearer(key).headers);

/** refund: what the fan was shown that comes back, or more. Of tickets that are canceled already nothing changes, so this may be repeated. */
export const cancel = async (id: string, key: string, tickets: string[], refund: number) =>
  (await call<Receipt>("POST", `${orders(id)}/cancel`, { ...bearer(key), body: { tickets, refund } })).body;

/** Holds what tickets may be exchanged for, instead of what was held for that before. */
export const holdExchange = async (id: string, key: string, tickets: string[], performance: string, wanted: Wanted) =>
  (await call<ExchangeQuote>("PUT", `${orders(id)}/exchange/hold`, { ...bearer(key), body: { tickets, for: { performance, ...wanted } } })).body;

export async function dropExchange(id: string, key: string): Promise<void> {
  await call("DELETE", `${orders(id)}/exchange/hold`, bearer(key));
}

/** attempt: the idempotency key; the same one exchanges, and charges, once. back: where a bank's page leads to, the same each time, too. */
export async function exchange(id: string, key: string, attempt: string, tickets: string[], quote: ExchangeQuote, method: string, back: string): Promise<Order> {
  const total = { amount: quote.to_pay, currency: quote.currency };
  const body = { hold: quote.hold, tickets, total, refund: quote.refund || undefined, payment_method: method || undefined, return_url: back };
  return (await call<Order>("POST", `${orders(id)}/exchange`, { headers: { ...bearer(key).headers, "Idempotency-Key": attempt }, body })).body;
}
