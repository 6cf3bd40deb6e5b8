// The routes of the returns list.

import type { Hold, Money, Order, Returned, ReturnsLists } from "./documents";
import * as coupons from "./coupons";
import { call } from "./http";

export const lists = async (performance: string) => (await call<ReturnsLists>("GET", `/api/v1/performances/${encodeURIComponent(performance)}/returns`)).body;

export interface Wish {
  tier: string;
  quantity: number;
  together: boolean;
  email: string;
}

/** attempt: the idempotency key; the same one never gets a second place. */
export async function join(performance: string, wish: Wish, attempt: string): Promise<Returned> {
  const options = { body: wish, headers: { "Idempotency-Key": attempt } };
  return (await call<Returned>("POST", `/api/v1/performances/${encodeURIComponent(performance)}/returns`, options)).body;
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

/** A place, and what time it is by the server's clock. */
export async function place(id: string, key: string): Promise<{ place: Returned; date: string }> {
  const answer = await call<Returned>("GET", `/api/v1/returns/${encodeURIComponent(id)}`, { headers: bearer(key) });
  return { place: answer.body, date: answer.headers.get("Date") ?? "" };
}

export async function leave(id: string, key: string): Promise<void> {
  await call("DELETE", `/api/v1/returns/${encodeURIComponent(id)}`, { headers: bearer(key) });
}

export async function claim(id: string, pass: string): Promise<Hold> {
  return (await call<Hold>("POST", `/api/v1/returns/${encodeURIComponent(id)}/claim`, { headers: bearer(pass), body: {} })).body;
}

export async function extend(hold: string, pass: string): Promise<Hold> {
  return (await call<Hold>("POST", `/api/v1/holds/${hold}/extend`, { headers: bearer(pass), body: {} })).body;
}

/** attempt: the idempotency key; the same one never charges twice. */
export async function pay(attempt: string, pass: string, hold: { id: string; total: Money }, email: string, method: string, back: string, newsletter = ""): Promise<Order> {
  const options = {
    headers: { ...bearer(pass), "Idempotency-Key": attempt },
    body: { hold: hold.id, total: hold.total, email, payment_method: method || undefined, return_url: back, newsletter: newsletter || undefined },
  };
  return (await call<Order>("POST", "/api/v1/orders", options)).body;
}

export const lower = (hold: string, pass: string, code: string, key: string) => coupons.lower(bearer(pass), hold, code, key);
export const raise = (hold: string, pass: string) => coupons.raise(bearer(pass), hold);
