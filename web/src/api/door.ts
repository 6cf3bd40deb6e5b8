// The routes of the door; the cookie of the sign-in is the credential.

import type { Answer } from "./http";
import { call } from "./staff";

const at = (performance: string) => `/api/v1/organizer/performances/${encodeURIComponent(performance)}/door`;

export interface DoorOf {
  name: string;
  zone?: string;
  areas?: string[];
}

export interface Settings {
  version: number;
  printed: boolean;
  reentry: boolean;
  doors: DoorOf[];
}

export interface Desk {
  who: string;
  may_undo: boolean;
  may_set: boolean;
  now: string;
  settings: Settings;
  list_keys: Record<string, string>;
}

export type Reason =
  | "forged"
  | "foreign"
  | "code-version"
  | "unknown"
  | "other-performance"
  | "unpaid"
  | "canceled"
  | "disputed"
  | "old-holder"
  | "clock"
  | "printed-not-allowed"
  | "door-unknown"
  | "wrong-zone"
  | "used"
  | "not-inside"
  | "no-reentry"
  | "refused"
  | "undone";

export interface Use {
  scan?: string;
  at: string;
  door: string;
  who?: string;
}

/** What a scan comes to. */
export interface Scanned {
  scan: string;
  passed: boolean;
  reason?: Reason;
  at: string;
  zone?: string;
  ticket?: string;
  order?: string;
  seat?: string;
  tier?: string;
  holder?: string;
  used?: Use;
  /** When it was taken back. */
  undone?: string;
  off?: number;
}

export interface Double extends Scanned {
  door: string;
  device: string;
  who: string;
}

export interface ScanRequest {
  id: string;
  code?: string;
  ticket?: string;
  door: string;
  out?: boolean;
  device: string;
}

/** What was decided without a network. */
export interface Decision {
  id: string;
  code?: string;
  ticket?: string;
  door: string;
  out?: boolean;
  passed: boolean;
  at: string;
}

export interface Found {
  ticket: string;
  order: string;
  state: string;
  seat?: string;
  tier: string;
  holder?: string;
  used?: Use;
  inside: boolean;
}

export interface SignedList {
  version: string;
  key_id: string;
  signature: string;
  list: string;
}

export interface Counts {
  valid: number;
  entered: number;
  zones: { zone: string; inside: number }[];
  doors: { door: string; in: number; out: number }[];
  minutes: { at: string; in: number }[];
  refused: { reason: Reason; scans: number }[];
  doubles: number;
  undone: number;
}

/** A door does not wait: without an answer by then the list decides, ms. */
const patience = 3_000;

export const desk = async (performance: string) => (await call<Desk>("GET", at(performance))).body;
/** On top of what was seen; version 0: nobody has set any. */
export const setRules = async (performance: string, seen: number, rules: Omit<Settings, "version">, reason: string) =>
  (await call<Settings>("PUT", `${at(performance)}?reason=${encodeURIComponent(reason)}`, { body: rules, headers: seen === 0 ? { "If-None-Match": "*" } : { "If-Match": `"${seen}"` } })).body;
export const scan = async (performance: string, what: ScanRequest) => (await call<Scanned>("POST", `${at(performance)}/scans`, { body: what, patience })).body;
export const merge = async (performance: string, device: string, decisions: Decision[]) =>
  (await call<{ answers: Scanned[] }>("POST", `${at(performance)}/scans/merge`, { body: { device, decisions } })).body.answers;
export const undo = async (performance: string, scan: string, reason: string) => void (await call("POST", `${at(performance)}/scans/${encodeURIComponent(scan)}/undo`, { body: { reason } }));
export const find = async (performance: string, q: string) => (await call<{ tickets: Found[] }>("GET", `${at(performance)}/tickets?q=${encodeURIComponent(q)}`)).body.tickets;
export const counts = async (performance: string) => (await call<Counts>("GET", `${at(performance)}/counts`, { patience })).body;
export const doubles = async (performance: string) => (await call<{ doubles: Double[] }>("GET", `${at(performance)}/doubles?limit=50`)).body.doubles;

/** undefined: it is the one of that version still. */
export async function list(performance: string, version: string): Promise<SignedList | undefined> {
  const answer: Answer<SignedList> = await call("GET", `${at(performance)}/list`, { accept: [304], patience: 60_000, headers: version ? { "If-None-Match": `"${version}"` } : {} });
  return answer.status === 304 ? undefined : answer.body;
}
