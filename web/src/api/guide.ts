// The routes that tell what is on. All of it is for everybody, and browsers may keep it for
// as long as the answer says.

import type { Entry, Found, FoundKind, ListedEvent, Listing, Suggestion, Told } from "./documents";
import { call } from "./http";

const at = encodeURIComponent;
const read = async <T>(path: string) => (await call<T>("GET", `/api/v1/${path}`)).body;

/** What is looked for, as texts: it is in the page's address, too. */
export interface Wanted {
  q?: string;
  kind?: string;
  category?: string;
  from?: string;
  to?: string;
  city?: string;
  country?: string;
  near?: string;
  radius?: string;
  price_from?: string;
  price_to?: string;
  currency?: string;
  available?: string;
  order?: string;
}

export function query(of: object): string {
  const set = Object.entries(of as Record<string, string | number | undefined>).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
}

export const search = (wanted: Wanted, limit: number, cursor = "") => read<Found>(`search?${query({ ...wanted, limit, cursor })}`);
export const suggest = async (text: string) => (await read<{ suggestions: Suggestion[] }>(`suggest?q=${at(text)}`)).suggestions;
export const listing = () => read<Listing>("listing");
export const event = (id: string) => read<ListedEvent>(`events/${at(id)}`);

/** Of a performer, a venue or a tour. */
export type Of = Exclude<FoundKind, "event">;
export const told = (of: Of, id: string) => read<Told>(`${of}s/${at(id)}`);
export const eventsOf = (of: Of, id: string, cursor = "") => read<{ events: ListedEvent[]; next?: string }>(`events?${query({ [of]: id, limit: 200, cursor })}`);

/** Where one reads about it. */
export const addressOf = (of: Pick<Entry, "kind" | "id">) => `/${of.kind}s/${at(of.id)}`;
/** width: in CSS pixels. */
export const picture = (id: string, width: number) => `/api/v1/pictures/${at(id)}?width=${Math.ceil(width * Math.min(globalThis.devicePixelRatio || 1, 2))}`;
