// The routes of the box office; the cookie of the sign-in is the credential.

import type * as documents from "./documents";
import type { Money } from "./documents";
import { call } from "./staff";

const root = "/api/v1/organizer";
const at = (performance: string) => `${root}/performances/${encodeURIComponent(performance)}/counter`;
const orderAt = (id: string) => `${root}/counter/orders/${encodeURIComponent(id)}`;

export type Tender = "cash" | "terminal" | "complimentary";

/** A performance that may be sold. */
export interface Listing {
  id: string;
  title: string;
  starts_at: string;
  venue: string;
}

/** What is kept for the counter, by tier. */
export interface Reserve {
  name: string;
  kind: "guests" | "production" | "boxoffice";
  tiers: { tier: string; units: number }[];
}

export interface Desk {
  who: string;
  reserves: Reserve[];
}

export interface CounterHold {
  id: string;
  units: number[];
  lines: { unit: number; label: string; tier: string; price: Money }[];
  total: Money;
  coupon?: { title: string; discount: Money; problem?: string };
  expires_at: string;
}

export interface Wish {
  units?: number[];
  tiers?: { tier: string; quantity: number }[];
  reserve?: string;
}

export interface Sale {
  hold: string;
  tender: Tender;
  email?: string;
  total: Money;
}

export interface Sold {
  id: string;
  tickets: { id: string; label: string; tier: string; state: string; code: string; qr: string }[];
}

export interface Receipt extends documents.Receipt {
  state: "paid" | "canceled";
  tender: Tender;
}

export interface Takings {
  who: string;
  tender: Tender;
  currency: string;
  orders: number;
  taken: number;
  given_back: number;
  till: number;
}

/** Every performance, the next first. */
export async function performances(): Promise<Listing[]> {
  const found: Listing[] = [];
  for (let cursor = ""; ; ) {
    const page = (await call<{ events: { title: string; performances: Omit<Listing, "title">[] }[]; next?: string }>("GET", `/api/v1/events?limit=200&cursor=${encodeURIComponent(cursor)}`)).body;
    for (const event of page.events) found.push(...event.performances.map((each) => ({ ...each, title: event.title })));
    if (!page.next) return found.sort((a, b) => a.starts_at.localeCompare(b.starts_at));
    cursor = page.next;
  }
}

export const desk = async (performance: string) => (await call<Desk>("GET", at(performance))).body;

/** key: the idempotency key; the same one never holds, or sells, twice. */
export const hold = async (performance: string, key: string, wish: Wish) => (await call<CounterHold>("POST", `${at(performance)}/holds`, { body: wish, headers: { "Idempotency-Key": key } })).body;
export const held = async (performance: string, id: string) => (await call<CounterHold>("GET", `${at(performance)}/holds/${id}`)).body;
export const release = async (performance: string, id: string) => void (await call("DELETE", `${at(performance)}/holds/${id}`));
export const setCoupon = async (performance: string, id: string, code: string) => (await call<CounterHold>("PUT", `${at(performance)}/holds/${id}/coupon`, { body: { code } })).body;
export const dropCoupon = async (performance: string, id: string) => (await call<CounterHold>("DELETE", `${at(performance)}/holds/${id}/coupon`)).body;
export const sell = async (performance: string, key: string, sale: Sale) => (await call<Sold>("POST", `${at(performance)}/orders`, { body: sale, headers: { "Idempotency-Key": key } })).body;
export const takings = async (performance: string, from: string) => (await call<{ takings: Takings[] }>("GET", `${at(performance)}/takings?from=${encodeURIComponent(from)}`)).body.takings;

export const order = async (id: string) => (await call<Sold>("GET", orderAt(id))).body;
export const receipt = async (id: string) => (await call<Receipt>("GET", `${orderAt(id)}/receipt`)).body;

/** Tickets that are canceled already are left as they are. */
export const cancel = async (id: string, how: { tickets: string[]; reason: string; full: boolean; tender: Exclude<Tender, "complimentary"> }) =>
  (await call<Receipt>("POST", `${orderAt(id)}/cancel`, { body: how })).body;
