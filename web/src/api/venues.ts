// Venues as their managers keep them; the cookie of the sign-in is the credential.

import type { Plan } from "../venues/plan";
import { send } from "./files";
import { call, forWhom } from "./staff";

const root = "/api/v1/organizer";
const at = (venue: string) => `${root}/venues/${encodeURIComponent(venue)}`;

export interface Line {
  id: string;
  name: string;
  /** The newest of its seat map; 0: it has none. */
  version: number;
  performances: number;
}

export interface Details {
  about?: string;
  address?: string;
  city?: string;
  country?: string;
  time_zone: string;
  place?: { latitude: number; longitude: number };
  /** Its id. */
  picture?: string;
  /** To other organizations. */
  closed?: boolean;
}

export interface Venue extends Details {
  id: string;
  /** Of the details. */
  version: number;
  name: string;
}

/** A version of a seat map that was taken in. */
export interface KeptMap {
  id: string;
  name: string;
  version: number;
  units: number;
}

export interface Booked {
  performance: string;
  event?: string;
  title: string;
  state: "scheduled" | "postponed";
  starts_at: string;
  ends_at?: string;
  local: string;
  clash: boolean;
}

export interface Approval {
  venue: string;
  version: number;
  event: string;
  title: string;
  approved?: boolean;
  reason?: string;
  at?: string;
}

export interface Edit {
  id: number;
  at: string;
  who: string;
  what: string;
  version?: number;
  name?: string;
  reason?: string;
}

type Page<Name extends string, T> = { [name in Name]: T[] } & { next?: string };

const page = (path: string, cursor: string) => `${path}${path.includes("?") ? "&" : "?"}limit=50&cursor=${encodeURIComponent(cursor)}`;

export const venues = async (cursor = "") => (await call<Page<"venues", Line>>("GET", page(`${root}/venues`, cursor))).body;
export const details = async (venue: string) => (await call<Venue>("GET", `${at(venue)}/details`)).body;
export const calendar = async (venue: string, cursor = "") => (await call<Page<"performances", Booked> & { time_zone: string }>("GET", page(`${at(venue)}/calendar`, cursor))).body;
export const approvals = async (venue: string, cursor = "") => (await call<Page<"approvals", Approval>>("GET", page(`${at(venue)}/approvals`, cursor))).body;
export const changes = async (venue: string, cursor = "") => (await call<Page<"changes", Edit>>("GET", page(`${root}/changes?subject=${encodeURIComponent(venue)}`, cursor))).body;

/** What starts too near to a time by the clocks of the venue, as 2027-03-27T20:00. */
export const clashes = async (venue: string, local: string) =>
  (await call<{ at: string; clashes: { title: string; starts_at: string }[] }>("GET", `${at(venue)}/clashes?local=${encodeURIComponent(local)}`)).body;

export const putDetails = async (venue: string, seen: number, details: Details, reason: string) =>
  (await call<Venue>("PUT", `${at(venue)}/details?reason=${encodeURIComponent(reason)}`, { body: details, headers: { "If-Match": `"${seen}"` } })).body;

/** The same again is the same. */
export const approve = async (venue: string, event: string, body: { version: number; approved: boolean; reason: string }) => void (await call("PUT", `${at(venue)}/approvals/${encodeURIComponent(event)}`, { body }));

/** Where the file of a seat map is; version 0: the newest. */
export const file = (venue: string, version: number) => `${at(venue)}${version > 0 ? `?version=${version}` : ""}`;

/** version 0: the newest. */
export async function map(venue: string, version: number): Promise<{ plan: Plan; version: number }> {
  const answer = await call<Plan>("GET", file(venue, version), { patience: 60_000 });
  return { plan: answer.body, version: Number(answer.headers.get("ETag")?.replace(/\D/g, "") ?? version) };
}

/** key: the idempotency key; the same one makes one venue. */
export const createMap = async (key: string, text: string) => (await send<KeptMap>("POST", `${root}/venues`, text, "application/json", { ...forWhom(), "Idempotency-Key": key })).body;
export const putMap = async (venue: string, seen: number, text: string, reason: string) =>
  (await send<KeptMap>("PUT", `${at(venue)}?reason=${encodeURIComponent(reason)}`, text, "application/json", { ...forWhom(), "If-Match": `"${seen}"` })).body;

export const picture = (id: string, width: number) => `/api/v1/pictures/${encodeURIComponent(id)}?width=${width}`;
export const createPicture = async (key: string, file: Blob, what: string) =>
  (await send<{ id: string }>("POST", `${root}/pictures?what=${encodeURIComponent(what)}`, file, "application/octet-stream", { ...forWhom(), "Idempotency-Key": key })).body;
