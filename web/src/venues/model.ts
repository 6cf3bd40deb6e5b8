// One venue as its manager keeps it, or the list of all. Components draw it.

import { type Fault, Faulty } from "../api/files";
import { Refusal } from "../api/http";
import { Once } from "../api/once";
import * as api from "../api/venues";
import { Working } from "../desk/working";
import { venues as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import { type House, houseOf } from "./plan";

/** A list of which there may be more. */
export interface Listed<T> {
  list: T[];
  next: string;
}

/** A file that was refused. */
export interface Refused {
  text: string;
  faults: Fault[];
}

export class Venues extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["organizer", "sre", "venue"];
  lines: Listed<api.Line> | undefined;

  /** Of one venue. */
  readonly chosen: string;
  venue: api.Venue | undefined;
  newest = 0;
  /** The version that is looked at. */
  version = 0;
  house: House | undefined;
  calendar: (Listed<api.Booked> & { zone: string }) | undefined;
  approvals: Listed<api.Approval> | undefined;
  changes: Listed<api.Edit> | undefined;
  /** What is near to a time that was asked about. */
  near: string | undefined;

  refused: Refused | undefined;
  /** Somebody else has changed what was to be changed. */
  stale = false;
  readonly #once = new Once();

  constructor(redraw: () => void, chosen: string) {
    super(redraw);
    this.chosen = chosen;
  }

  /** Signs in, if there is a key, and reads what is to be seen. */
  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      if (this.chosen === "") this.lines = await listOf("venues", api.venues);
      else await this.#read();
      this.staff = "yes";
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.lines = this.venue = this.house = undefined;
    });
  }

  more(): Promise<void> {
    return this.act(async () => void (this.lines = await listOf("venues", api.venues, this.lines)));
  }

  moreCalendar(): Promise<void> {
    return this.act(() => this.#readCalendar(this.calendar));
  }

  moreApprovals(): Promise<void> {
    return this.act(async () => void (this.approvals = await listOf("approvals", (cursor) => api.approvals(this.chosen, cursor), this.approvals)));
  }

  moreChanges(): Promise<void> {
    return this.act(async () => void (this.changes = await listOf("changes", (cursor) => api.changes(this.chosen, cursor), this.changes)));
  }

  /** Reads what somebody else has changed. */
  again(): Promise<void> {
    return this.act(async () => {
      await this.#read();
      this.stale = false;
    });
  }

  /** Looks at a version of the seat map, 0: the newest. */
  look(version: number): Promise<void> {
    return this.act(() => this.#look(version));
  }

  /** Sends the text of a seat map: as the next version, or as a new venue, whose page is then opened. */
  keep(text: string, reason: string): Promise<void> {
    return this.act(async () => {
      this.refused = undefined;
      this.changed();
      try {
        if (this.chosen === "") {
          const made = await api.createMap(this.#once.key(text), text);
          this.#once.answered();
          location.assign(`?venue=${encodeURIComponent(made.id)}`);
          return;
        }
        const kept = await api.putMap(this.chosen, this.newest, text, reason);
        await this.#read();
        this.notice = words.file.kept(kept.name, kept.version, kept.units);
      } catch (cause) {
        if (!(cause instanceof Faulty) || cause.faults.length === 0) throw cause;
        this.#once.answered();
        this.refused = { text, faults: cause.faults };
      }
    });
  }

  /** file: a picture to show from now on; undefined leaves what details say. */
  save(details: api.Details, reason: string, file?: { blob: Blob; what: string }): Promise<void> {
    return this.act(async () => {
      const { venue } = this;
      if (!venue) return;
      if (file) {
        details.picture = (await api.createPicture(this.#once.key(`${file.blob.size} ${file.what}`), file.blob, file.what)).id;
        this.#once.answered();
      }
      this.venue = await api.putDetails(this.chosen, venue.version, details, reason);
      await Promise.all([this.#readCalendar(), this.#readChanges()]);
      this.notice = words.details.saved;
    });
  }

  ask(local: string): Promise<void> {
    return this.act(async () => {
      this.near = undefined;
      const { clashes } = await api.clashes(this.chosen, local);
      const zone = this.venue!.time_zone;
      this.near = clashes.length === 0 ? words.calendar.free : words.calendar.clashes(clashes.map((each) => words.calendar.listed(each.title, atVenue(each.starts_at, zone))));
    });
  }

  approve(of: api.Approval, approved: boolean, reason: string): Promise<void> {
    return this.act(async () => {
      await api.approve(this.chosen, of.event, { version: of.version, approved, reason });
      this.approvals = await listOf("approvals", (cursor) => api.approvals(this.chosen, cursor));
      await this.#readChanges();
      this.notice = words.approvals.done(of.title, approved);
    });
  }

  async #read(): Promise<void> {
    const id = this.chosen;
    const [venue] = await Promise.all([
      api.details(id),
      this.#look(0),
      this.#readCalendar(),
      this.#readChanges(),
      listOf("approvals", (cursor) => api.approvals(id, cursor)).then((list) => void (this.approvals = list)),
    ]);
    this.venue = venue;
  }

  async #readCalendar(before?: Listed<api.Booked>): Promise<void> {
    let zone = "";
    const list = await listOf(
      "performances",
      async (cursor) => {
        const page = await api.calendar(this.chosen, cursor);
        zone = page.time_zone;
        return page;
      },
      before,
    );
    this.calendar = { ...list, zone };
  }

  async #readChanges(): Promise<void> {
    try {
      this.changes = await listOf("changes", (cursor) => api.changes(this.chosen, cursor));
    } catch (cause) {
      if (!(cause instanceof Refusal) || cause.status !== 403) throw cause;
      this.changes = undefined; // it is for organizers: who manages venues alone does without
    }
  }

  async #look(version: number): Promise<void> {
    try {
      const found = await api.map(this.chosen, version);
      this.version = found.version;
      if (version === 0) this.newest = found.version;
      this.house = houseOf(found.plan);
    } catch (cause) {
      if (version !== 0 || !(cause instanceof Refusal) || cause.status !== 404) throw cause;
      this.house = undefined; // of before there were maps
    }
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.stale ||= cause instanceof Refusal && cause.code === "changed-meanwhile";
    this.problem = problemOf(cause, () => undefined);
  }
}

/** Day and time by the clocks of a venue. */
export const atVenue = (at: string, timeZone: string) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", timeZone }).format(new Date(at));

async function listOf<Name extends string, T>(name: Name, read: (cursor: string) => Promise<{ [name in Name]: T[] } & { next?: string }>, before?: Listed<T>): Promise<Listed<T>> {
  const page = await read(before?.next ?? "");
  return { list: [...(before?.list ?? []), ...page[name]], next: page.next ?? "" };
}
