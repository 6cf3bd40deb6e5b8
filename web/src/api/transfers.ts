import type { Passes } from "./documents";
import { call } from "./http";

/** expires_at: until when it may be accepted. email: gone once nothing came of it. */
export interface Transfer {
  id: string;
  ticket: string;
  state: "offered" | "accepted" | "recalled" | "refused" | "over";
  email?: string;
  expires_at: string;
  changed_at: string;
}

/** What a holder may do with their tickets; times: how often more one may change hands. */
export interface Handing {
  give_until?: string;
  names: boolean;
  name_until?: string;
  return_until?: string;
  tickets: { id: string; name?: string; times?: number; transfer?: Transfer }[];
}

const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });
const ticket = (id: string) => `/api/v1/tickets/${encodeURIComponent(id)}`;
const transfer = (id: string) => `/api/v1/transfers/${encodeURIComponent(id)}`;

/** id: of an order, or of the transfer by which somebody has a ticket. */
export const handing = async (id: string, key: string) => (await call<Handing>("GET", `/api/v1/orders/${encodeURIComponent(id)}/handing`, bearer(key))).body;

export const offer = async (id: string, key: string, email: string) => (await call<Transfer>("POST", `${ticket(id)}/transfer`, { ...bearer(key), body: { email } })).body;

export async function recall(id: string, key: string): Promise<void> {
  await call("DELETE", `${ticket(id)}/transfer`, bearer(key));
}

export async function rename(id: string, key: string, name: string): Promise<void> {
  await call("PUT", `${ticket(id)}/name`, { ...bearer(key), body: { name } });
}

export const accept = async (id: string, key: string, name: string) => (await call<Passes>("POST", `${transfer(id)}/accept`, { ...bearer(key), body: name === "" ? {} : { name } })).body;

export async function refuse(id: string, key: string): Promise<void> {
  await call("POST", `${transfer(id)}/refuse`, { ...bearer(key), body: {} });
}

export const giveBack = async (id: string, key: string) => (await call<Passes>("POST", `${transfer(id)}/return`, { ...bearer(key), body: {} })).body;
