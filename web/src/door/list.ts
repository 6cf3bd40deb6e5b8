// What a scanner without a network decides by: the list that the server has signed, and what
// this scanner has let in since. It decides as door_scans does in the database.

import type { Reason, Settings, SignedList, Use } from "../api/door";
import { base64, off, parse, unbase64, verifies } from "./code";

export interface Listed {
  id: string;
  state: string;
  issue: number;
  keys?: Record<string, string>;
  printed: string;
  seat?: string;
  tier: string;
  section?: string;
  inside?: Record<string, Entry>;
}

export interface Entry {
  inside: boolean;
  at: string;
  door: string;
}

export interface List {
  performance: string;
  version: string;
  made_at: string;
  settings: Settings;
  tickets: Listed[];
}

/** What this scanner has seen by itself: by ticket and zone. */
export type Seen = Record<string, Record<string, Entry>>;

export interface Verdict {
  passed: boolean;
  reason?: Reason;
  zone: string;
  ticket?: Listed;
  used?: Use;
  off?: number;
}

export const main = "Main entrance";

/** undefined: nobody of ours has signed it, or it is of another performance. */
export async function opened(signed: SignedList, keys: Record<string, string>, performance: string): Promise<Known | undefined> {
  const key = keys[signed.key_id];
  if (!key || !(await verifies(key, unbase64(signed.signature), new TextEncoder().encode(signed.list)))) return undefined;
  const list = JSON.parse(signed.list) as List;
  return list.performance === performance ? new Known(list) : undefined;
}

export class Known {
  readonly list: List;
  readonly #byId = new Map<string, Listed>();
  readonly #byPrinted = new Map<string, Listed>();

  constructor(list: List) {
    this.list = list;
    for (const each of list.tickets) {
      this.#byId.set(each.id, each);
      this.#byPrinted.set(each.printed, each);
    }
  }

  /** Decides, and changes nothing: enter() writes down what is done. */
  async decide(read: { code?: string; ticket?: string }, doorName: string, out: boolean, seen: Seen, now: number): Promise<Verdict> {
    const door = this.list.settings.doors.find((each) => each.name === doorName);
    const zone = door?.zone ?? "";
    const no = (reason: Reason, more: Partial<Verdict> = {}): Verdict => ({ passed: false, reason, zone, ...more });
    let ticket: Listed | undefined;
    let late = 0;
    let paper = false;
    if (read.ticket !== undefined) {
      ticket = this.#byId.get(read.ticket);
    } else {
      const code = parse(read.code ?? "");
      if (code.kind === "foreign") return no("foreign");
      if (code.kind === "version") return no("code-version");
      if (code.kind === "printed") {
        paper = true;
        ticket = this.#byPrinted.get(base64(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(code.text)))));
      } else {
        ticket = this.#byId.get(code.ticket);
        if (!ticket) return no("unknown");
        if (ticket.issue !== code.issue) return no("old-holder", { ticket });
        const key = ticket.keys?.[code.key];
        if (!key || !(await verifies(key, code.signature, code.signed))) return no("forged");
        late = off(code, now);
      }
    }
    if (!ticket) return no("unknown");
    if (ticket.state === "unpaid") return no("unpaid", { ticket });
    if (ticket.state !== "valid") return no("disputed", { ticket });
    if (late !== 0) return no("clock", { ticket, off: late });
    if (paper && !this.list.settings.printed) return no("printed-not-allowed", { ticket });
    if (!door) return no("door-unknown", { ticket });
    if (door.areas && door.areas.length > 0 && !door.areas.includes(ticket.tier) && !door.areas.includes(ticket.section || ticket.tier)) return no("wrong-zone", { ticket });
    if (out && !this.list.settings.reentry) return no("no-reentry", { ticket });
    const was = newest(ticket.inside?.[zone], seen[ticket.id]?.[zone]);
    if (out && !was?.inside) return no("not-inside", { ticket });
    if (!out && was && (was.inside || !this.list.settings.reentry)) return no("used", { ticket, used: was });
    return { passed: true, zone, ticket };
  }
}

/** Writes down who came in or went out, and says what stood there. */
export function enter(seen: Seen, ticket: string, zone: string, entry: Entry): Entry | undefined {
  const zones = (seen[ticket] ??= {});
  const before = zones[zone];
  zones[zone] = entry;
  return before;
}

/** Takes an entry back: what stood there before stands there again, unless another has followed. */
export function takeBack(seen: Seen, ticket: string, zone: string, entry: Entry, before: Entry | undefined): void {
  const zones = seen[ticket];
  if (zones?.[zone] !== entry) return;
  if (before) zones[zone] = before;
  else delete zones[zone];
}

function newest(a: Entry | undefined, b: Entry | undefined): Entry | undefined {
  if (!a || !b) return a ?? b;
  return Date.parse(b.at) >= Date.parse(a.at) ? b : a;
}
