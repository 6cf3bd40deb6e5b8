// The SRE's routes; the cookie of the sign-in is the credential.

import type { Limits, Live } from "./documents";
import { call } from "./http";

const at = (sale: string) => `/api/v1/ops/sales/${encodeURIComponent(sale)}`;

export const signIn = async (key: string) => void (await call("POST", "/api/v1/ops/sign-in", { body: { key } }));
export const signOut = async () => void (await call("DELETE", "/api/v1/ops/sign-in"));
export const sales = async () => (await call<{ sales: Live[] }>("GET", "/api/v1/ops/sales")).body.sales;
export const sale = async (id: string) => (await call<Live>("GET", at(id))).body;

/** Changes limits if they still are what was expected, else 409 limits-changed. */
export async function steer(id: string, set: Partial<Limits>, expect: Partial<Limits>, reason: string): Promise<Live> {
  const { live } = (await call<{ live?: Live }>("POST", `${at(id)}/steer`, { body: { set, expect, reason } })).body;
  return live ?? sale(id);
}
