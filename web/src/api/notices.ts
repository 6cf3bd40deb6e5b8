// What an organizer writes to everybody who holds a ticket; the cookie of the sign-in is the
// credential.

import { call } from "./staff";

export interface Draft {
  /** undefined: to the holders of all performances of the event. */
  performance?: string;
  subject: string;
  text: string;
}

export interface Notice extends Omit<Draft, "performance"> {
  id: string;
  performance?: string;
  who: string;
  at: string;
  /** Addresses, of which the others are parts. */
  holders: number;
  waiting: number;
  posted: number;
  sent: number;
  failed: number;
  left: number;
}

export interface Audience {
  holders: number;
  /** Orders without an address. */
  silent: number;
}

export interface Failure {
  email?: string;
  order: string;
  problem: string;
}

const at = (event: string) => `/api/v1/organizer/events/${encodeURIComponent(event)}`;

export const audience = async (event: string, performance: string | undefined) =>
  (await call<Audience>("GET", `${at(event)}/holders${performance === undefined ? "" : `?performance=${encodeURIComponent(performance)}`}`)).body;

/** The newest first. */
export const notices = async (event: string, cursor = "") => (await call<{ notices: Notice[]; next?: string }>("GET", `${at(event)}/notices?limit=20&cursor=${encodeURIComponent(cursor)}`)).body;

/** The same key again sends nothing more. */
export const send = async (event: string, draft: Draft, key: string) => (await call<Notice>("POST", `${at(event)}/notices`, { body: draft, headers: { "Idempotency-Key": key } })).body;

export const failures = async (event: string, id: string, cursor = "") =>
  (await call<{ failures: Failure[]; next?: string }>("GET", `${at(event)}/notices/${encodeURIComponent(id)}/failures?cursor=${encodeURIComponent(cursor)}`)).body;
