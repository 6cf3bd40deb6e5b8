// The staff's routes; the cookie of the sign-in is the credential.

import type { AuditRow, EdgeReport, Live, PaymentTrouble, Planned, Preset, Sample, Settings, StaffMessage, Unread } from "./documents";
import { call } from "./http";

const root = "/api/v1/ops";
/** What is asked for twice a second is not waited for long: the page says so, and asks again. */
const patience = 3_000;
const at = (sale: string) => `${root}/sales/${encodeURIComponent(sale)}`;

export const signIn = async (key: string) => void (await call("POST", `${root}/sign-in`, { body: { key } }));
/** Who this is, by a key or by an account; left: how many seconds an account is let in for. */
export const signedIn = async () => (await call<{ who: string; by: "key" | "account"; left?: number }>("GET", `${root}/sign-in`, { patience })).body;
/** Has a booking core say, in a cookie that no script reads, that this account may steer. */
export const badge = async () => void (await call("PUT", "/api/v1/organizer/staff/badge", { patience }));
export const signOut = async () => void (await call("DELETE", `${root}/sign-in`));
/** All sales, and those that cannot be read now. */
export const sales = async () => (await call<{ sales: Live[]; failed?: Unread[] }>("GET", `${root}/sales`, { patience })).body;
export const sale = async (id: string) => (await call<Live>("GET", at(id))).body;
/** Payments that did not come together with their tickets: those for somebody first. */
export const payments = async () => (await call<{ payments: PaymentTrouble[] }>("GET", `${root}/payments`)).body.payments;
export const edges = async () => (await call<{ edges: EdgeReport[] }>("GET", `${root}/edges`, { patience })).body.edges;

/** How a sale stood in each second after that one. */
export const history = async (id: string, after: number) => (await call<{ samples: Sample[] }>("GET", `${at(id)}/history?after=${after}`)).body.samples;
export const audit = async (id: string) => (await call<{ rows: AuditRow[] }>("GET", `${at(id)}/audit?limit=30`)).body.rows;

/** Changes what is set if everything still is what was expected, else 409 limits-changed. */
export const steer = async (id: string, change: { set?: Settings; preset?: string; expect: Settings & { version?: number }; reason: string; public_reason?: Record<string, string> | undefined }) =>
  (await call<{ live?: Live }>("POST", `${at(id)}/steer`, { body: change })).body.live ?? (await sale(id));

export const presets = async () => (await call<{ presets: Preset[] }>("GET", `${root}/presets`)).body.presets;
export const schedule = async (id: string) => (await call<{ planned: Planned[] }>("GET", `${at(id)}/schedule`)).body.planned;
export const plan = async (id: string, change: { at: string; set?: Settings; preset?: string; reason: string; public_reason?: Record<string, string> | undefined }) =>
  (await call<Planned>("POST", `${at(id)}/schedule`, { body: change })).body;
export const cancel = async (id: string, planned: string, reason: string) =>
  void (await call("POST", `${at(id)}/schedule/${encodeURIComponent(planned)}/cancel`, { body: { reason } }));

/** What everybody who waits is told; number 0 is nothing. */
export const message = async (id: string) => (await call<StaffMessage>("GET", `${at(id)}/message`)).body;

/** Tells them something else, or nothing, if the message still is the one that was seen. */
export const say = async (id: string, change: { texts: Record<string, string>; default?: string; until?: string; expect: number; reason: string }) =>
  (await call<StaffMessage>("POST", `${at(id)}/message`, { body: change })).body;

export const savePreset = async (name: string, preset: { set: Settings; note?: string; reason: string }) =>
  void (await call("PUT", `${root}/presets/${encodeURIComponent(name)}`, { body: preset }));
export const removePreset = async (name: string, reason: string) => void (await call("POST", `${root}/presets/${encodeURIComponent(name)}/remove`, { body: { reason } }));

const session = (sale: string, id: string) => `${at(sale)}/sessions/${encodeURIComponent(id)}`;
/** Ends a session, and says whether every gate knows; force does it although it holds something. */
export const revoke = async (sale: string, id: string, reason: string, force: boolean) =>
  (await call<{ acknowledged: boolean }>("POST", `${session(sale, id)}/revoke`, { body: { reason, force } })).body;
/** Lets its fan come in again. */
export const reentry = async (sale: string, id: string, reason: string) => void (await call("POST", `${session(sale, id)}/reentry`, { body: { reason } }));
