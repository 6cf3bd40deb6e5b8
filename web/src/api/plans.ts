// What an organizer pays the platform, and what their payment accounts came to; the cookie
// of the sign-in is the credential.

import type { Money } from "./documents";
import type { Settled } from "./sales";
import { call } from "./staff";

const root = "/api/v1/organizer";
const at = (account: string) => `${root}/accounts/${encodeURIComponent(account)}`;

/** A payment account of the organization's own. */
export interface Account {
  name: string;
  charges: boolean;
  reason?: string;
}

/** What is left out of entitlements is not limited. */
export interface Plan {
  id: string;
  name: string;
  price?: Money;
  period: "month" | "year";
  /** undefined: each sale says it. rate in basis points, fixed in minor units by currency. */
  fee?: { rate?: number; fixed?: Record<string, number> };
  entitlements: { rooms?: number; lanes?: number; automatic?: boolean; own_look?: boolean; api_keys?: number; exports?: boolean };
}

export interface AccountPlan {
  account: string;
  plan: Plan;
  /** undefined: nothing was chosen, or it is over. */
  begins_at?: string;
  ends_at?: string;
  /** The plan that follows; free: nothing does. */
  next?: string;
  used: { rooms: number; lanes: number };
}

export interface Period {
  begins_at: string;
  ends_at: string;
  plan: string;
  price: Money;
}

export interface Settlement {
  performances: { performance: string; title: string; starts_at: string; currencies: Settled[] }[];
  totals: Settled[];
}

export const accounts = async () => {
  const all: Account[] = [];
  let cursor: string | undefined = "";
  while (cursor !== undefined) {
    const page: { accounts: Account[]; next?: string } = (await call<{ accounts: Account[]; next?: string }>("GET", `${root}/accounts?limit=200&cursor=${encodeURIComponent(cursor)}`)).body;
    all.push(...page.accounts);
    cursor = page.next;
  }
  return all;
};
export const plan = async (account: string) => (await call<AccountPlan>("GET", `${at(account)}/plan`)).body;
export const periods = async (account: string, cursor = "") => (await call<{ periods: Period[]; next?: string }>("GET", `${at(account)}/plan/periods?limit=12&cursor=${encodeURIComponent(cursor)}`)).body;
export const settlement = async (account: string) => (await call<Settlement>("GET", `${at(account)}/settlement`)).body;

/** Where a file of an account is. */
export const file = (name: "accounting.csv" | "report.pdf", account: string) => `${root}/exports/${name}?account=${encodeURIComponent(account)}`;
