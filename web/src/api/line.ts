// The routes of the line: one sale, this browser's place in it, its session.

import type { Admission, DrawProof, Ledger, PlaceReceipt, Sale, Status } from "./documents";
import type { Challenge } from "../visitor/solve";
import { call, retryAfter } from "./http";

const saleAt = (sale: string) => `/api/v1/sales/${encodeURIComponent(sale)}`;

export const sales = async () => (await call<{ sales: Sale[] }>("GET", "/api/v1/sales")).body.sales;
export const sale = async (id: string) => (await call<Sale>("GET", saleAt(id))).body;

/** Joins, or finds the place that this browser has. */
export const join = async (id: string, body: object = {}) => (await call<Status>("POST", `${saleAt(id)}/place`, { body })).body;

/** What this browser has to solve before it joins. */
export const challenge = async (id: string) => (await call<Challenge>("GET", `${saleAt(id)}/challenge`)).body;

/** Asks where the place stands, and when to ask again. */
export async function poll(id: string): Promise<{ status: Status; again: number | undefined }> {
  const answer = await call<Status>("GET", `${saleAt(id)}/place`);
  return { status: answer.body, again: answer.body.next_contact ?? retryAfter(answer.headers) };
}

export const claim = async (id: string) => (await call<Admission>("POST", `${saleAt(id)}/place/claim`)).body;
export const leave = async (id: string) => void (await call("DELETE", `${saleAt(id)}/place`));
export const renew = async (id: string) => (await call<Admission>("POST", `${saleAt(id)}/session`)).body;
export const endSession = async (id: string) => void (await call("DELETE", `${saleAt(id)}/session`));

/** What shows where the draw put this browser's place. */
export const drawProof = async (id: string) => (await call<DrawProof>("GET", `${saleAt(id)}/draw/proof`)).body;

/** What became of this browser's place. */
export const placeReceipt = async (id: string) => (await call<PlaceReceipt>("GET", `${saleAt(id)}/place/receipt`)).body;

/** Entries of the public ledger after a number; after −n, the newest n. */
export const ledger = async (id: string, after: number, limit: number) =>
  (await call<Ledger>("GET", `${saleAt(id)}/ledger?after=${after}&limit=${limit}`)).body;

export function liveAddress(id: string, page: Location): string {
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}${saleAt(id)}/place/live`;
}
