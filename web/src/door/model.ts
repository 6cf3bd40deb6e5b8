// The door as one scanner works at it. With a connection the server decides; without one, the
// list that it has signed, and what is decided then is handed in later. A scan has one id
// whoever decides on it, so that a lost answer makes no second entry.

import { type Listing, performances } from "../api/counter";
import * as api from "../api/door";
import { Disconnected } from "../api/http";
import { Working } from "../desk/working";
import { LineClock } from "../line/clock";
import { door as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import { keepPage, type Offline } from "../ticket/offline";
import { sound } from "./camera";
import { handedIn, keep, type Kept, queue, queued, read, stand, standing } from "./keep";
import { type Entry, enter, type Known, main, opened, takeBack } from "./list";

const page: Offline = { cache: "ropeline-door-1", worker: "/door.js", page: "/door" };

/** One that is shown to the camera for longer is one scan. */
const sameFor = 4_000;
const listEvery = 30_000;
const mostShown = 20;
const mostDecisions = 100; // of a request

export interface Shown extends api.Scanned {
  door: string;
  out: boolean;
  offline: boolean;
  /** What it has written down here, and what stood there before. */
  entry?: Entry;
  before?: Entry | undefined;
}

export class DoorDesk extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["sre", "organizer", "door", "supervisor"];
  readonly clock = new LineClock();

  shows: Listing[] | undefined;
  kept: Kept | undefined;
  list: Known | undefined;
  badList = false;
  pageKept = false;
  online = true;
  door = "";
  out = false;
  device = standing().device;
  /** What was scanned, the newest first; the first is the big one. */
  shown: Shown[] = [];
  checking = false;
  /** Why nobody could be checked. */
  stuck = "";
  waiting = 0;
  counts: api.Counts | undefined;
  doubles: api.Double[] = [];
  found: api.Found[] | undefined;

  #last = { what: "", at: 0 };
  #listAt = 0;
  #handing = false;

  get performance(): string {
    return this.kept?.show.id ?? "";
  }

  get desk(): api.Desk | undefined {
    return this.kept?.desk;
  }

  /** Signs in, if there is a key; without a connection it goes on where this scanner was. */
  start(key: string): Promise<void> {
    return this.act(async () => {
      this.waiting = (await queued()).length;
      const was = standing();
      try {
        await this.signIn(key);
        this.shows = await performances();
        const first = this.shows.find((each) => each.id === was.performance) ?? this.shows.find((each) => Date.parse(each.starts_at) > Date.now() - 6 * 3_600_000) ?? this.shows[0];
        if (!first) {
          this.staff = "yes";
          return;
        }
        await this.#open(first);
        this.staff = "yes";
      } catch (cause) {
        const old = cause instanceof Disconnected && key === "" ? await read(was.performance) : undefined;
        if (!old) throw cause;
        await this.#goOn(old);
        this.staff = "yes";
        this.online = false;
      }
      void keepPage(undefined, page).then((kept) => {
        this.pageKept = kept;
        this.changed();
      });
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.shown = [];
      this.found = this.counts = undefined;
    });
  }

  choose(id: string): Promise<void> {
    return this.act(async () => {
      const show = this.shows?.find((each) => each.id === id);
      if (show) await this.#open(show);
    });
  }

  stand(door: string, out: boolean, device: string): void {
    this.door = door;
    this.out = out;
    if (/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$/.test(device)) this.device = device;
    stand({ performance: this.performance, door: this.door, device: this.device });
    this.changed();
  }

  async #open(show: Listing): Promise<void> {
    const desk = await api.desk(show.id);
    this.clock.hear(desk.now);
    const old = await read(show.id);
    await this.#goOn({ show, desk, ahead: this.clock.now() - Date.now(), seen: old?.seen ?? {}, ...(old?.signed ? { signed: old.signed } : {}) });
    this.online = true;
    this.shown = [];
    await keep(this.kept!);
  }

  async #goOn(kept: Kept): Promise<void> {
    this.kept = kept;
    this.clock.hear(new Date(Date.now() + kept.ahead).toISOString());
    const names = kept.desk.settings.doors.map((each) => each.name);
    const was = standing();
    this.door = names.includes(was.door) ? was.door : (names[0] ?? main);
    this.#listAt = 0;
    this.list = undefined;
    await this.#use(kept.signed);
    stand({ performance: kept.show.id, door: this.door, device: this.device });
  }

  async #use(signed: api.SignedList | undefined): Promise<void> {
    if (!signed || !this.kept) return;
    const list = await opened(signed, this.kept.desk.list_keys, this.performance);
    this.badList = !list;
    if (list) this.list = list;
  }

  /** Asks how it stands, hands in what waits, and fetches the list. Says in how many ms to ask again. */
  async look(): Promise<number> {
    if (!this.kept || this.staff !== "yes") return 2_000;
    try {
      this.counts = await api.counts(this.performance);
      this.online = true;
      await this.#handIn();
      if (this.counts.doubles > 0) this.doubles = await api.doubles(this.performance);
      else this.doubles = [];
      if (Date.now() - this.#listAt > listEvery) await this.#fetchList();
    } catch (cause) {
      if (cause instanceof Disconnected) this.online = false;
      else await this.explain(cause);
    }
    this.changed();
    return this.online ? 5_000 : 3_000;
  }

  async #fetchList(): Promise<void> {
    if (Object.keys(this.kept!.desk.list_keys).length === 0) return;
    const desk = await api.desk(this.performance);
    this.clock.hear(desk.now);
    const signed = await api.list(this.performance, this.list?.list.version ?? "");
    this.#listAt = Date.now();
    const kept: Kept = { ...this.kept!, desk, ahead: this.clock.now() - Date.now() };
    this.kept = kept;
    if (signed) {
      await this.#use(signed);
      if (!this.badList) this.kept.signed = signed;
    }
    await keep(this.kept);
  }

  /** Twice the same is the same, and changes nothing. */
  async #handIn(): Promise<void> {
    if (this.#handing) return;
    this.#handing = true;
    try {
      const all = await queued();
      for (const of of new Set(all.map((each) => `${each.performance}\n${each.device}`))) {
        const mine = all.filter((each) => `${each.performance}\n${each.device}` === of).sort((a, b) => a.decision.at.localeCompare(b.decision.at));
        for (let at = 0; at < mine.length; at += mostDecisions) {
          const some = mine.slice(at, at + mostDecisions);
          await api.merge(some[0]!.performance, some[0]!.device, some.map((each) => each.decision));
          for (const each of some) await handedIn(each.decision.id);
        }
      }
      this.waiting = (await queued()).length;
    } finally {
      this.#handing = false;
    }
  }

  /** By camera, reader or hand. */
  async scan(what: { code?: string; ticket?: string }, out = this.out): Promise<void> {
    const text = what.code?.trim() ?? what.ticket ?? "";
    if (text === "" || !this.kept || this.checking) return;
    if (what.code !== undefined && this.#last.what === text && Date.now() - this.#last.at < sameFor) {
      this.#last.at = Date.now(); // it is in front of the camera still
      return;
    }
    this.#last = { what: text, at: Date.now() };
    this.checking = true;
    this.stuck = this.problem = this.notice = "";
    this.changed();
    const request: api.ScanRequest = { id: crypto.randomUUID(), ...what, door: this.door, device: this.device, ...(out ? { out } : {}) };
    try {
      const answer = this.online ? await this.#ask(request) : await this.#alone(request);
      this.#show(answer, request);
    } catch (cause) {
      if (!this.stuck) await this.explain(cause);
      sound(false);
    }
    this.#last.at = Date.now();
    this.checking = false;
    this.changed();
  }

  async #ask(request: api.ScanRequest): Promise<api.Scanned & { offline?: boolean }> {
    try {
      return await api.scan(this.performance, request);
    } catch (cause) {
      if (!(cause instanceof Disconnected)) throw cause;
      this.online = false;
      return this.#alone(request);
    }
  }

  /** By the list. What cannot be kept is not decided: it would never be handed in. */
  async #alone(request: api.ScanRequest): Promise<api.Scanned & { offline: boolean }> {
    if (!this.list) {
      this.stuck = words.noList;
      throw new Error(this.stuck);
    }
    const now = this.clock.now();
    const at = new Date(now).toISOString();
    const verdict = await this.list.decide(request, request.door, request.out ?? false, this.kept!.seen, now);
    const { device, ...rest } = request;
    try {
      await queue({ performance: this.performance, device, decision: { ...rest, passed: verdict.passed, at } });
    } catch (cause) {
      this.stuck = words.notKept;
      throw cause;
    }
    this.waiting++;
    const { ticket } = verdict;
    return {
      scan: request.id,
      at,
      offline: true,
      passed: verdict.passed,
      zone: verdict.zone,
      ...(verdict.reason ? { reason: verdict.reason } : {}),
      ...(ticket ? { ticket: ticket.id, tier: ticket.tier, ...(ticket.seat ? { seat: ticket.seat } : {}) } : {}),
      ...(verdict.used ? { used: verdict.used } : {}),
      ...(verdict.off ? { off: verdict.off } : {}),
    };
  }

  #show(answer: api.Scanned & { offline?: boolean }, request: api.ScanRequest): void {
    const out = request.out ?? false;
    const shown: Shown = { ...answer, door: request.door, out, offline: answer.offline ?? false };
    this.shown = [shown, ...this.shown].slice(0, mostShown);
    sound(answer.passed);
    if (!answer.passed || !answer.ticket) return;
    shown.entry = { inside: !out, at: answer.at, door: request.door };
    shown.before = enter(this.kept!.seen, answer.ticket, answer.zone ?? "", shown.entry);
    void keep(this.kept!);
  }

  setRules(rules: Omit<api.Settings, "version">, reason: string): Promise<void> {
    return this.act(async () => {
      const settings = await api.setRules(this.performance, this.desk!.settings.version, rules, reason);
      await this.#goOn({ ...this.kept!, desk: { ...this.desk!, settings } });
      await keep(this.kept!);
      this.notice = words.rulesKept;
    });
  }

  lookUp(q: string): Promise<void> {
    return this.act(async () => {
      this.found = await api.find(this.performance, q);
    });
  }

  undo(of: Shown, reason: string): Promise<void> {
    return this.act(async () => {
      await api.undo(this.performance, of.scan, reason);
      Object.assign(of, { passed: false, reason: "undone", undone: new Date(this.clock.now()).toISOString() });
      if (of.ticket && of.entry) takeBack(this.kept!.seen, of.ticket, of.zone ?? "", of.entry, of.before);
      await keep(this.kept!);
      this.#last = { what: "", at: 0 };
      this.notice = words.undone;
    });
  }

  protected override async explain(cause: unknown): Promise<void> {
    if (cause instanceof Disconnected) this.online = false;
    if (!(await this.turnedAway(cause))) this.problem = problemOf(cause, () => undefined);
  }
}
