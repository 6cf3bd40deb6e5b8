// What an organizer makes on the way to a sale: an event with who performs in it, a draft
// of the sale, the program that comes of it, and its publication. The cookie of the
// sign-in is the credential.

import { call } from "./staff";

const root = "/api/v1/organizer";
const enc = encodeURIComponent;
const because = (reason: string) => (reason === "" ? "" : `?reason=${enc(reason)}`);
/** Version 0 is none. */
const seen = (version: number): Record<string, string> => (version === 0 ? { "If-None-Match": "*" } : { "If-Match": `"${version}"` });

export interface Event {
  title: string;
  about?: string;
  category?: string;
  performers?: string[];
  tour?: string;
  picture?: string;
  metadata?: Record<string, string>;
}

export type EventState = "draft" | "published" | "postponed" | "canceled";

export interface KeptEvent extends Event {
  id: string;
  version: number;
  state: EventState;
  performances: string[];
}

export interface Named {
  id: string;
  name: string;
}

export interface Category extends Named {
  parent?: string;
}

export interface VenueLine extends Named {
  /** Of its seat map; 0: it has none. */
  version: number;
}

/** Of a venue's map, what prices and releases are about. */
export interface VenueMap {
  name: string;
  categories: string[];
  sections?: { name: string; category: string; rows: { category?: string; seats: { category?: string }[] }[] }[];
  areas?: { name: string; category: string; places: number }[];
}

export interface Draft {
  version: number;
  document: unknown;
}

export interface Reserve {
  name: string;
  kind: "batch";
  seats?: string[];
  area?: string;
  places?: number;
  release_at: string;
}

export interface Lane {
  name: string;
  title: string;
  share: number;
  entry: ("code" | "invitation")[];
}

export interface Sale {
  id: string;
  version?: number;
  title: string;
  lobby_closes_at: string;
  opens_at: string;
  ends_at: string;
  visitor?: { kind: string; work?: number; per_network?: number };
  lanes?: Lane[];
  cap: number;
  rate: number;
  claim_window: number;
  token_life: number;
  session_max: number;
  hold: number;
  hold_extensions: number;
  units_per_hold: number;
  units_per_place?: number;
  turn_notice?: number;
  party_max?: number;
}

export interface Program {
  event_id: string;
  currency: string;
  tariff: { tax_rate?: number; refund: { before?: number; keep_rate?: number }; exchange: object; transfer?: { before: number; times?: number }; names?: { on: boolean; before?: number } };
  performances: {
    venue: string;
    local?: { starts_at: string; doors_at?: string; ends_at?: string };
    prices: Record<string, number>;
    reserves?: Reserve[];
  }[];
  sale: Sale;
}

/** As it is kept: times are UTC. */
export interface MadeProgram extends Omit<Program, "performances"> {
  performances: { venue: string; starts_at: string; doors_at?: string; ends_at?: string; prices: Record<string, number> }[];
}

export interface Publication {
  version: number;
  state: "asked" | "done" | "refused";
  refusal?: { code: string; detail: string };
  published?: number;
}

interface Pages {
  next?: string;
}

/** Every page of a list, as far as an organizer can choose from it. */
async function all<K extends string, T>(path: string, name: K): Promise<T[]> {
  const found: T[] = [];
  let cursor = "";
  do {
    const { body } = await call<Pages & Record<K, T[]>>("GET", `${path}?limit=200${cursor && `&cursor=${enc(cursor)}`}`);
    found.push(...body[name]);
    cursor = body.next ?? "";
  } while (cursor !== "" && found.length < 5_000);
  return found;
}

export const events = () => all<"events", KeptEvent>(`${root}/events`, "events");
export const performers = () => all<"performers", Named>(`${root}/performers`, "performers");
export const tours = () => all<"tours", Named>(`${root}/tours`, "tours");
export const venues = () => all<"venues", VenueLine>(`${root}/venues`, "venues");
export const categories = async () => (await call<{ categories: Category[] }>("GET", "/api/v1/event-categories?limit=200")).body.categories;

const create = async <T>(path: string, body: unknown, key: string) => (await call<T>("POST", root + path, { body, headers: { "Idempotency-Key": key } })).body;
export const createEvent = (event: Event, key: string) => create<KeptEvent>("/events", event, key);
export const createPerformer = (name: string, key: string) => create<Named>("/performers", { name }, key);
export const createTour = (name: string, key: string) => create<Named>("/tours", { name }, key);
export const createPicture = async (file: Blob, what: string, key: string) =>
  (await call<{ id: string }>("POST", `${root}/pictures?what=${enc(what)}`, { body: file, headers: { "Idempotency-Key": key, "Content-Type": "application/octet-stream" }, patience: 60_000 })).body;

export const event = async (id: string) => (await call<KeptEvent>("GET", `${root}/events/${enc(id)}`)).body;
export const putEvent = async (id: string, version: number, body: Event, reason: string) =>
  (await call<KeptEvent>("PUT", `${root}/events/${enc(id)}${because(reason)}`, { body, headers: seen(version) })).body;
export const setState = async (id: string, version: number, state: EventState, reason: string) =>
  (await call<KeptEvent>("PUT", `${root}/events/${enc(id)}/state${because(reason)}`, { body: { state }, headers: seen(version) })).body;

/** undefined where nothing is being set up. */
export async function draft(event: string): Promise<Draft | undefined> {
  const answer = await call<Draft>("GET", `${root}/events/${enc(event)}/draft`, { accept: [404] });
  return answer.status === 404 ? undefined : answer.body;
}
export const putDraft = async (event: string, version: number, document: unknown) =>
  (await call<Draft>("PUT", `${root}/events/${enc(event)}/draft`, { body: { document }, headers: seen(version) })).body;

export const venueMap = async (id: string) => (await call<VenueMap>("GET", `${root}/venues/${enc(id)}`, { patience: 60_000 })).body;
export const venueZone = async (id: string) => (await call<{ time_zone: string; city?: string }>("GET", `${root}/venues/${enc(id)}/details`)).body;
export const clashes = async (venue: string, local: string) =>
  (await call<{ clashes: { title: string; starts_at: string }[] }>("GET", `${root}/venues/${enc(venue)}/clashes?local=${enc(local)}`)).body.clashes;

/** A version of a program, 0 where the sale is not made yet. */
export async function program(sale: string): Promise<{ version: number; program?: MadeProgram }> {
  const answer = await call<MadeProgram>("GET", `${root}/programs/${enc(sale)}`, { accept: [404] });
  if (answer.status === 404) return { version: 0 };
  return { version: versionOf(answer.headers), program: answer.body };
}
export async function putProgram(program: Program, version: number, reason: string): Promise<{ version: number; program: MadeProgram }> {
  const { body, headers } = await call<MadeProgram>("PUT", `${root}/programs/${enc(program.sale.id)}${because(reason)}`, { body: program, headers: seen(version), patience: 60_000 });
  return { version: versionOf(headers), program: body };
}
const versionOf = (headers: Headers) => Number((headers.get("ETag") ?? "").replace(/\D/g, ""));

/** Presale codes of one name. */
export interface CodeBatch {
  name: string;
  lane: string;
  /** Of each code. */
  uses: number;
  codes: number;
  used: number;
  withdrawn?: boolean;
}

export const codes = (sale: string) => all<"batches", CodeBatch>(`${root}/sales/${enc(sale)}/codes`, "batches");
export const makeCodes = (sale: string, of: { name: string; lane: string; count: number; uses: number }, key: string) => create<{ name: string; codes: string[] }>(`/sales/${enc(sale)}/codes`, of, key);
export const withdrawCodes = async (sale: string, name: string, reason: string) => {
  await call("DELETE", `${root}/sales/${enc(sale)}/codes/${enc(name)}${because(reason)}`);
};

export async function publication(sale: string): Promise<Publication | undefined> {
  const answer = await call<Publication>("GET", `${root}/sales/${enc(sale)}/publication`, { accept: [404] });
  return answer.status === 404 ? undefined : answer.body;
}
export const publish = async (sale: string, version: number, reason: string) =>
  (await call<Publication>("PUT", `${root}/sales/${enc(sale)}/publication`, { body: { version, ...(reason && { reason }) } })).body;
