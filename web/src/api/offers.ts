// What a shop's coupons are made and looked after with; the cookie of the sign-in is the
// credential.

import type { Coupon, Money } from "./documents";
import { call } from "./staff";

const root = "/api/v1/organizer/shops";
const at = (shop: string) => `${root}/${encodeURIComponent(shop)}`;
const one = (shop: string, id: string) => `${at(shop)}/coupons/${encodeURIComponent(id)}`;

export interface Shop {
  id: string;
  name: string;
}

export interface Product {
  id: string;
  name: string;
  category: string;
  /** Whose tickets its coupons lower; without one they are for the shop's till. */
  event?: string;
}

/** What is asked of a coupon that is made; in minor units. */
export interface Terms {
  product: string;
  title: string;
  percent?: number;
  amount?: number;
  currency: string;
  shareable: boolean;
  stock: number;
  per_person: number;
  publish_from: string;
  publish_until: string;
  expires_at: string;
}

export interface Report {
  /** How many copies stand in the queue of each state. */
  queues: Record<string, number>;
  bags: number;
  sold: Money;
  discount: Money;
}

/** Those that somebody may look after. */
export const shops = async () => (await call<{ shops: Shop[] }>("GET", `${root}?limit=200`)).body.shops;
export const putShop = async (shop: Shop) => (await call<Shop>("PUT", at(shop.id), { body: { name: shop.name } })).body;
export const putProduct = async (shop: string, { id, ...product }: Product) => void (await call("PUT", `${at(shop)}/products/${encodeURIComponent(id)}`, { body: product }));

/** The newest first. */
export const coupons = async (shop: string, cursor = "") => (await call<{ coupons: Coupon[]; next?: string }>("GET", `${at(shop)}/coupons?limit=20&cursor=${encodeURIComponent(cursor)}`)).body;
/** The same key again makes nothing more. */
export const make = async (shop: string, terms: Terms, key: string) => (await call<Coupon>("POST", `${at(shop)}/coupons`, { body: terms, headers: { "Idempotency-Key": key } })).body;
export const publish = async (shop: string, id: string) => (await call<Coupon>("POST", `${one(shop, id)}/publish`, { body: {} })).body;
export const withdraw = async (shop: string, id: string, reason: string) => (await call<Coupon>("POST", `${one(shop, id)}/withdraw`, { body: { reason } })).body;
export const report = async (shop: string, id: string) => (await call<Report>("GET", `${one(shop, id)}/report`)).body;
