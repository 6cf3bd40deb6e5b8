// How a performance and its event stand, what may come next, and what that changes.

import type { PlayedShow, ShowState } from "../api/documents";
import type { BulkRefund, Settled } from "../api/sales";
import type { EventState, KeptEvent } from "../api/setup";

export type Of = "performance" | "event";
export type To = "on" | "postponed" | "canceled";

/** How one performance of an event stands. */
export type StoodFor = Pick<PlayedShow, "id" | "state" | "starts_at">;

export interface Standing {
  event: KeptEvent;
  /** Of the event. */
  shows: StoodFor[];
}

export const ofShow = (to: To): ShowState => (to === "on" ? "scheduled" : to);
export const ofEvent = (to: To): Exclude<EventState, "draft"> => (to === "on" ? "published" : to);

/** A draft is published where it is set up. A performance is put on again with its event, or after it. */
export function next(of: Of, event: EventState, show: ShowState): To[] {
  if (event === "draft" || event === "canceled") return [];
  if (of === "event") return event === "published" ? ["postponed", "canceled"] : ["on", "canceled"];
  if (show === "canceled") return [];
  if (event === "postponed") return ["canceled"];
  return show === "scheduled" ? ["postponed", "canceled"] : ["on", "canceled"];
}

/** What a step of the event takes with it: what is over and what is canceled stays. */
export const goesAlong = (show: StoodFor, now: number) => show.state !== "canceled" && Date.parse(show.starts_at) > now;

/** After a step that was taken. */
export function stood(before: Standing, event: KeptEvent, of: Of, performance: string, to: To, now: number): Standing {
  const moved = (show: StoodFor) => (of === "event" ? goesAlong(show, now) : show.id === performance);
  return { event, shows: before.shows.map((show) => (moved(show) ? { ...show, state: ofShow(to) } : show)) };
}

/** Nothing more comes by itself, but for what is paid late and what is tried again. */
export const over = (refund: BulkRefund) => refund.left === 0 && refund.refunding === 0;

const always = ["taken", "refunded", "fee", "tax", "owed", "net"] as const;
const lines = ["taken", "cash", "terminal", "exchanged", "refunded", "to_refund", "disputed", "dispute_fees", "fee", "tax", "owed", "net"] as const;
export type Line = (typeof lines)[number];

/** The lines of a settlement in one currency, without those that are nothing in all of its columns. */
export const linesOf = (columns: (Settled | undefined)[]) => lines.filter((line) => always.includes(line as (typeof always)[number]) || columns.some((column) => column && column[line] !== 0));
