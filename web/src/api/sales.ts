// What organizers learn of what they sell; the cookie of the sign-in is the credential.

import type { Money } from "./documents";
import { call } from "./http";

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
  tickets: { id: string; label: string; state: string }[];
}

export interface Wanted {
  email: string;
  seat: string;
  state: string;
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

/** Where a file is. */
export const file = (name: "orders.csv" | "accounting.csv", performance: string, mails = false) =>
  `${root}/exports/${name}?performance=${encodeURIComponent(performance)}${mails ? "&mails=true" : ""}`;
