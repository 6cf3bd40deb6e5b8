// Which scene a fan sees, from everything that the page knows. Pure, so that
// every state can be tested and drawn without a server.

import type { Sale, Status } from "../api/documents";
import type { Refusal } from "../api/http";
import type { Link } from "../line/connection";

export interface Known {
  /** null: there was no answer. */
  sale?: Sale | null;
  status?: Status;
  link: Link;
  /** The fan left on this page, or said so before a reload. */
  left: boolean;
  /** Why there is no place (yet). */
  refusal?: Refusal;
  offline: boolean;
}

export type Scene =
  | "joining"
  | "lobby"
  | "drawing"
  | "waiting"
  | "passed"
  | "offered"
  | "active"
  | "expired"
  | "elsewhere"
  | "left"
  | "done"
  | "gone"
  | "ended"
  | "unknown"
  | "failed";

export function sceneOf(known: Known): Scene {
  if (known.refusal) return refusedScene(known.refusal);
  if (known.left) return "left";
  const status = known.status;
  if (!status) return known.offline ? "failed" : "joining";
  if (status.elsewhere && !["done", "left", "expired"].includes(status.state)) return "elsewhere";
  switch (status.state) {
    case "collected":
      return status.sale.phase === "ended" ? "ended" : status.sale.phase === "lobby" ? "lobby" : "drawing";
    case "waiting":
      return status.sale.phase === "ended" ? "ended" : "waiting";
    default:
      return status.state;
  }
}

function refusedScene(refusal: Refusal): Scene {
  switch (refusal.code) {
    case "sale-unknown":
      return "unknown";
    case "sale-ended":
      return "ended";
    case "place-gone":
    case "place-ticket-invalid":
    case "place-ticket-missing":
      return "gone";
    default:
      return refusal.status === 404 ? "unknown" : "failed";
  }
}

/** How far a place has come since it was first seen, from 0 to 1. */
export function progress(start: number, position: number): number {
  if (start <= 0) return 1;
  return Math.min(1, Math.max(0, 1 - position / start));
}
