// The SRE's routes; the cookie of the sign-in is the credential.

import type { Limits, Live } from "./documents";
import { call } from "./http";

const at = (sale: string) => `/api/v1/ops/sales/${encodeURIComponent(sale)}`;

export const signIn = async (key: string) => void (await call("POST", "/api/v1/ops/sign-in", { body: { key } }));
export const signOut = async () => void (await call("DELETE", "/api/v1/ops/sign-in"));
export const sales = async () => (await call<{ sales: Live[] }>("GET", "/api/v1/ops/sales")).body.sales;
export const sale = async (id: string) => (await call<Live>("GET", at(id))).body;

/** Sets the limits if they still are what was expected, else 409 limits-changed. */
export const setLimits = async (id: string, limits: Limits, expect: Limits, reason: string) =>
  (await call<Live>("POST", `${at(id)}/limits`, { body: { ...limits, expect, reason } })).body;

export const pause = async (id: string, reason: string) => (await call<Live>("POST", `${at(id)}/pause`, { body: { reason } })).body;
export const resume = async (id: string, reason: string) => (await call<Live>("POST", `${at(id)}/resume`, { body: { reason } })).body;
