// What organizers learn of what they sell; the cookie of the sign-in is the credential.

import type { Money, PlayedShow, ShowState } from "./documents";
import { call } from "./staff";
import type { KeptEvent } from "./setup";

const root = "/api/v1/organizer";
const at = (performance: string) => `${root}/performances/${encodeURIComponent(performance)}`;

export interface Popular {
  performance: string;
  title: string;
  venue: string;
  starts_at: string;
  sale?: string;
  units: number;
  views: number;
  joined?: number;
  holds: number;
  orders: number;
  sold: number;
}

/** In minor units. */
export interface Sums {
  currency: string;
  orders: number;
  taken: number;
  cash: number;
  terminal: number;
  refunded: number;
  to_refund: number;
  fee: number;
  tax: number;
  net: number;
}

export interface TierSales {
  id: string;
  name: string;
  price: Money;
  units: number;
  sold: number;
  unpaid: number;
  canceled: number;
  prices: number;
}

export interface Funnel {
  views: number;
  joined?: number;
  offered?: number;
  admitted?: number;
  holds: number;
  paying: number;
  bought: number;
}

export interface Live {
  performance: string;
  as_of: string;
  money: Sums[];
  tiers: TierSales[];
  /** Seconds that each point stands for. */
  every: number;
  points: { at: string; currency: string; orders: number; amount: number }[];
  funnel: Funnel;
}

export interface Sold {
  id: string;
  performance: string;
  placed_at: string;
  state: "pending" | "paid" | "canceled";
  tender?: "cash" | "terminal" | "complimentary";
  amount: Money;
  email?: string;
  /** What is known of the address. */
  marks?: { kind: "bounce" | "complaint"; problem?: string; at: string }[];
  tickets: { id: string; label: string; state: string }[];
}

export interface Wanted {
  email: string;
  seat: string;
  state: string;
}

/** What orders came to in one currency, in minor units. */
export interface Settled {
  currency: string;
  orders: number;
  taken: number;
  cash: number;
  terminal: number;
  exchanged: number;
  refunded: number;
  to_refund: number;
  disputed: number;
  dispute_fees: number;
  fee: number;
  tax: number;
  owed: number;
  net: number;
}

/** How far everybody has their money back. */
export interface BulkRefund {
  who: string;
  reason: string;
  asked_at: string;
  left: number;
  canceled: number;
  refunding: number;
  refunded: number;
  failed: number;
  /** At most 100 of them. */
  refused: { order: string; code: string; at: string }[];
}

export const popularity = async (cursor = "") => (await call<{ performances: Popular[]; next?: string }>("GET", `${root}/popularity?cursor=${encodeURIComponent(cursor)}`)).body;
export const live = async (performance: string) => (await call<Live>("GET", `${at(performance)}/live`)).body;

export const orders = async (performance: string, wanted: Wanted, cursor = "") => {
  const query = new URLSearchParams({ cursor, limit: "20" });
  for (const [name, value] of Object.entries(wanted)) if (value !== "") query.set(name, value);
  return (await call<{ orders: Sold[]; next?: string }>("GET", `${at(performance)}/orders?${query}`)).body;
};

export const order = async (id: string) => (await call<Sold>("GET", `${root}/orders/${encodeURIComponent(id)}`)).body;

/** Tickets that are canceled already are left as they are. */
export const cancel = async (id: string, how: { tickets: string[]; reason: string; full: boolean }) => void (await call("POST", `${root}/orders/${encodeURIComponent(id)}/cancel`, { body: how }));

/** How a performance and its event stand. */
export const standing = async (performance: string) => {
  const { event, performances } = (await call<{ event: KeptEvent; performances: Pick<PlayedShow, "id" | "state" | "starts_at">[] }>("GET", `${at(performance)}/state`)).body;
  return { event, shows: performances };
};

/** version: that of its event, which was seen. */
export const setState = async (performance: string, version: number, state: ShowState, reason: string) =>
  (await call<KeptEvent>("PUT", `${at(performance)}/state?reason=${encodeURIComponent(reason)}`, { body: { state }, headers: { "If-Match": `"${version}"` } })).body;

/** Asked for once: the same again tells how far it is. */
export const refundAll = async (performance: string, reason: string) => (await call<BulkRefund>("PUT", `${at(performance)}/refund`, { body: { reason } })).body;

/** undefined where nobody has asked for it. */
export async function refund(performance: string): Promise<BulkRefund | undefined> {
  const answer = await call<BulkRefund>("GET", `${at(performance)}/refund`, { accept: [404] });
  return answer.status === 404 ? undefined : answer.body;
}

export const settlement = async (performance: string) => (await call<{ currencies: Settled[] }>("GET", `${at(performance)}/settlement`)).body.currencies;
export const saleSettlement = async (sale: string) => (await call<{ totals: Settled[] }>("GET", `${root}/sales/${encodeURIComponent(sale)}/settlement`)).body.totals;

export interface Group {
  /** An age as 25-34, a country as PT, unknown, or others. */
  name: string;
  people: number;
}

/** Who holds tickets; of no group that is small. 0 people: fewer than ten. */
export interface Crowd {
  people: number;
  ages: Group[];
  countries: Group[];
}

type Scope = { performance: string } | { event: string };
const scope = (of: Scope) => new URLSearchParams({ ...of }).toString();
export const audience = async (of: Scope) => (await call<Crowd>("GET", `${root}/audience?${scope(of)}`)).body;
export const audienceFile = (of: Scope) => `${root}/exports/audience.csv?${scope(of)}`;

/** Where a file of a performance is. */
export const file = (name: "orders.csv" | "accounting.csv", performance: string, mails = false) =>
  `${root}/exports/${name}?performance=${encodeURIComponent(performance)}${mails ? "&mails=true" : ""}`;
/** Where the accounts of a sale are. */
export const saleFile = (sale: string) => `${root}/exports/accounting.csv?sale=${encodeURIComponent(sale)}`;
