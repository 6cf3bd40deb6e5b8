// What happened to a place, in order: what the line remembers of it, put between what the
// public ledger says of everybody.

import type { LedgerEntry, PlaceReceipt } from "../api/documents";

/** of: whose it is; at: when, by the ledger; until: where the ledger knows a minute only. */
export interface Moment {
  of: "mine" | "sale";
  at: string;
  until?: string;
  what: "joined" | "turn" | "missed" | string;
  data: Record<string, unknown>;
}

const told = ["published", "draw-bound", "drawn", "opened", "limits", "mode", "lost", "ended"];
const number = (value: unknown) => (typeof value === "number" ? value : 0);

/** The first minute in which so many people had been offered a turn: no turn with that number came before. A party counts as its people there, and as one turn. */
export function minuteOf(offer: number, entries: LedgerEntry[]): { from: string; to: string } | undefined {
  const found = entries.find((entry) => entry.kind === "admissions" && number(entry.data.total) >= offer);
  if (!found) return undefined;
  const text = (value: unknown) => (typeof value === "string" ? value : found.time);
  return { from: text(found.data.from), to: text(found.data.to) };
}

export function story(place: PlaceReceipt | undefined, entries: LedgerEntry[]): Moment[] {
  const all: Moment[] = entries.filter((entry) => told.includes(entry.kind)).map((entry) => ({ of: "sale", at: entry.time, what: entry.kind, data: entry.data }));
  const minute = place?.offer && minuteOf(place.offer, entries);
  if (minute) all.push({ of: "mine", at: minute.from, until: minute.to, what: "turn", data: { offer: place.offer } });
  if (place?.joined_at) all.push({ of: "mine", at: place.joined_at, what: "joined", data: {} });
  if (place?.missed_at) all.push({ of: "mine", at: place.missed_at, what: "missed", data: {} });
  return all.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
