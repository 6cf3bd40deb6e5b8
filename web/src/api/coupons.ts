// The routes of coupons and bags.

import type { BagCoupon, Coupon, EventShows, Hold } from "./documents";
import { LineClock } from "../line/clock";
import { call } from "./http";

const at = encodeURIComponent;

/** The server's clock, from what it answered last: that of a phone may be minutes off. */
export const clock = new LineClock();

/** What anybody may read, with the ETag that it came with: asking for it again costs next to nothing. */
const had = new Map<string, { etag: string; body: unknown }>();

async function read<T>(path: string): Promise<T> {
  const before = had.get(path);
  const answer = await call<T>("GET", path, { headers: before ? { "If-None-Match": before.etag } : {}, accept: [304] });
  clock.hear(answer.headers.get("Date") ?? "");
  if (answer.status === 304 && before) return before.body as T;
  const etag = answer.headers.get("ETag");
  if (etag !== null) had.set(path, { etag, body: answer.body });
  return answer.body;
}

export interface Filter {
  shop: string;
  category: string;
  product: string;
}

/** What is on a page of the shelf. */
const pageOf = 24;
/** The longest page: of shops and other things to choose from. */
const most = 200;

function query(of: Record<string, string | number>): string {
  const set = Object.entries(of).filter(([, value]) => value !== "");
  return new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
}

export const browse = (filter: Filter, cursor = "") => read<{ coupons: Coupon[]; next?: string }>(`/api/v1/coupons?${query({ ...filter, cursor, limit: pageOf })}`);

/** What is sold as the places of a performance. */
export const soldIn = async (performance: string) => (await read<{ coupons: Coupon[] }>(`/api/v1/coupons?performance=${at(performance)}`)).coupons;
export const coupon = (id: string) => read<Coupon>(`/api/v1/coupons/${at(id)}`);
export const event = (id: string) => read<EventShows>(`/api/v1/events/${at(id)}`);
export const shops = async () => (await read<{ shops: { id: string; name: string }[] }>(`/api/v1/shops?limit=${most}`)).shops;
export const categories = async (shop: string) => (await read<{ categories: { category: string; coupons: number }[] }>(`/api/v1/categories?${query({ shop, limit: most })}`)).categories;
export const products = async (shop: string) =>
  (await read<{ products: { id: string; name: string; category: string }[] }>(`/api/v1/shops/${at(shop)}/products?limit=${most}`)).products;

export const newBag = async () => (await call<{ bag: string; key: string }>("POST", "/api/v1/bags", { body: {} })).body.key;

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

export const bag = async (key: string, cursor = "") => (await call<{ coupons: BagCoupon[]; next?: string }>("GET", `/api/v1/bag?${query({ cursor })}`, { headers: bearer(key) })).body;
export const copy = async (key: string, id: string, number: number) => (await call<BagCoupon>("GET", `/api/v1/bag/coupons/${at(id)}/${number}`, { headers: bearer(key) })).body;

/** attempt: the idempotency key; the same one gets the same copy. */
export const claim = async (key: string, id: string, attempt: string) =>
  (await call<BagCoupon>("POST", `/api/v1/coupons/${at(id)}/claim`, { headers: { ...bearer(key), "Idempotency-Key": attempt } })).body;
export const take = async (key: string, code: string, attempt: string) =>
  (await call<BagCoupon>("POST", "/api/v1/bag/coupons", { headers: { ...bearer(key), "Idempotency-Key": attempt }, body: { code } })).body;

/** Puts what an order bought into a bag; it may be sent again. */
export const collect = async (key: string, order: { id: string; key: string }) =>
  (await call<{ coupons: BagCoupon[] }>("POST", "/api/v1/bag/orders", { headers: bearer(key), body: { order: order.id, key: order.key } })).body.coupons;

/** Lowers a hold. headers: of the admission, or of the offer's pass; a personal coupon needs the key of its bag. */
export const lower = async (headers: Record<string, string>, hold: string, code: string, key: string) =>
  (await call<Hold>("PUT", `/api/v1/holds/${at(hold)}/coupon`, { headers: key === "" ? headers : { ...headers, "Ropeline-Bag": key }, body: { code } })).body;
export const raise = async (headers: Record<string, string>, hold: string) => (await call<Hold>("DELETE", `/api/v1/holds/${at(hold)}/coupon`, { headers })).body;
