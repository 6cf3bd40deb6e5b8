// The sales of one performance as its organizer watches them. Components draw it.

import { availability, performance as fetchPerformance } from "../api/booking";
import type { ShowState } from "../api/documents";
import { Refusal } from "../api/http";
import * as letters from "../api/notices";
import { Once } from "../api/once";
import * as api from "../api/sales";
import * as setup from "../api/setup";
import { Working } from "../desk/working";
import { sales as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import { type SeatState, Units } from "../shop/seats";
import { type Show, showOf } from "../shop/show";
import { type Of, ofEvent, ofShow, over, type Standing, stood, type To } from "./standing";

const lookEvery = 2_000;
/** A settlement adds up a whole sale: less often. */
const settleEvery = 10_000;

export class Sales extends Working {
  protected override readonly ofKeys = words.signIn;
  shows: api.Popular[] | undefined;
  moreShows = "";
  chosen = "";
  show: Show | undefined;
  live: api.Live | undefined;
  /** The last look was answered. */
  fresh = false;

  wanted: api.Wanted = { email: "", seat: "", state: "" };
  found: api.Sold[] | undefined;
  moreFound = "";
  open: api.Sold | undefined;

  /** undefined where events are not this one's to see. */
  standing: Standing | undefined;
  /** undefined while nobody has asked for refunds of all. */
  refund: api.BulkRefund | undefined;
  settled: { performance: api.Settled[]; sale: api.Settled[] } | undefined;

  /** Messages to holders, of the event; undefined where events are not this one's to see. */
  notices: letters.Notice[] | undefined;
  moreNotices = "";
  /** Who holds tickets, of the performance or of its event. */
  crowd: api.Crowd | undefined;
  /** Those of one of them whom it does not come to. */
  failures: { of: string; list: letters.Failure[]; next: string } | undefined;

  #once = new Once();
  #units = new Units(0);
  #settledOf = "";
  #settleAt = 0;
  #etag: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Signs in, if there is a key, and watches the performance that starts next. */
  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      const page = await api.popularity();
      this.shows = page.performances;
      this.moreShows = page.next ?? "";
      this.staff = "yes";
      const named = new URLSearchParams(location.search).get("performance");
      const coming = [...this.shows].sort((a, b) => a.starts_at.localeCompare(b.starts_at)).find((each) => Date.parse(each.starts_at) > Date.now());
      const first = this.shows.find((each) => each.performance === named) ?? coming ?? this.shows[0];
      if (first) await this.#choose(first.performance);
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      clearTimeout(this.#timer);
      this.shows = undefined;
      this.#forget();
    });
  }

  choose(id: string): Promise<void> {
    return this.act(() => this.#choose(id));
  }

  find(wanted: api.Wanted): Promise<void> {
    return this.act(async () => {
      this.wanted = wanted;
      this.open = undefined;
      const page = await api.orders(this.chosen, wanted);
      this.found = page.orders;
      this.moreFound = page.next ?? "";
    });
  }

  findMore(): Promise<void> {
    return this.act(async () => {
      const page = await api.orders(this.chosen, this.wanted, this.moreFound);
      this.found = [...(this.found ?? []), ...page.orders];
      this.moreFound = page.next ?? "";
    });
  }

  /** Opens an order by its number. */
  look(id: string): Promise<void> {
    return this.act(async () => void (this.open = await api.order(id)));
  }

  close(): void {
    this.open = undefined;
    this.changed();
  }

  /** The same tickets again change nothing, so what was not answered may be asked for again. */
  cancel(tickets: string[], reason: string, full: boolean): Promise<void> {
    return this.act(async () => {
      const id = this.open!.id;
      await api.cancel(id, { tickets, reason, full });
      this.open = await api.order(id);
      this.found = this.found?.map((each) => (each.id === id ? this.open! : each));
      this.#settleAt = 0;
      this.notice = words.cancel.done;
    });
  }

  get showState(): ShowState {
    return this.standing?.shows.find((each) => each.id === this.chosen)?.state ?? "scheduled";
  }

  /** Tickets that are sold, of the performance. */
  get sold(): number {
    return this.live?.tiers.reduce((sum, tier) => sum + tier.sold, 0) ?? 0;
  }

  /** The sale that sells the performance; empty while none does. */
  get sale(): string {
    return this.shows?.find((each) => each.performance === this.chosen)?.sale ?? "";
  }

  setState(of: Of, to: To, reason: string): Promise<void> {
    return this.act(async () => {
      const { event } = this.standing!;
      const kept = await (of === "event" ? setup.setState(event.id, event.version, ofEvent(to), reason) : api.setState(this.chosen, event.version, ofShow(to), reason));
      this.standing = stood(this.standing!, kept, of, this.chosen, to, Date.now());
      this.notice = words.standing.done[of][to];
      await this.#refund();
    });
  }

  refundAll(reason: string): Promise<void> {
    return this.act(async () => {
      this.refund = await api.refundAll(this.chosen, reason);
      this.#settleAt = 0;
    });
  }

  /** Who holds tickets: of all of the event, or of the performance. */
  whoCame(whole: boolean): Promise<void> {
    return this.act(() => this.#count(whole));
  }

  async #count(whole: boolean): Promise<void> {
    this.crowd = await api.audience(whole && this.standing ? { event: this.standing.event.id } : { performance: this.chosen });
  }

  /** To whom a message would go; undefined where that cannot be told. */
  async audience(whole: boolean): Promise<letters.Audience | undefined> {
    let found: letters.Audience | undefined;
    await this.act(async () => void (found = await letters.audience(this.standing!.event.id, whole ? undefined : this.chosen)));
    return found;
  }

  /** Whether it was sent off. */
  async write(draft: letters.Draft): Promise<boolean> {
    let sent = false;
    await this.act(async () => {
      const { event } = this.standing!;
      const notice = await letters.send(event.id, draft, this.#once.key(event.id + JSON.stringify(draft)));
      this.#once.answered();
      this.notices = [notice, ...(this.notices ?? []).filter((each) => each.id !== notice.id)];
      this.notice = words.notices.done;
      sent = true;
    });
    return sent;
  }

  olderNotices(): Promise<void> {
    return this.act(async () => {
      const page = await letters.notices(this.standing!.event.id, this.moreNotices);
      this.notices = [...(this.notices ?? []), ...page.notices];
      this.moreNotices = page.next ?? "";
    });
  }

  lookAtFailures(of: string, cursor = ""): Promise<void> {
    return this.act(async () => {
      const page = await letters.failures(this.standing!.event.id, of, cursor);
      this.failures = { of, list: [...(cursor === "" ? [] : this.failures!.list), ...page.failures], next: page.next ?? "" };
    });
  }

  state(unit: number): SeatState {
    return this.#units.state(unit, none, none);
  }

  pick(): void {} // nothing is picked here

  async #choose(id: string): Promise<void> {
    clearTimeout(this.#timer);
    this.chosen = id;
    this.#forget();
    this.#etag = undefined;
    this.#settledOf = "";
    this.#settleAt = 0;
    const performance = await fetchPerformance(id);
    this.show = showOf(performance);
    this.#units = Units.of(performance.tiers);
    await this.#stand();
    await this.#refund();
    await this.#write();
    await this.#count(false);
    await this.#look();
    this.#lookOn();
    await this.#first();
  }

  async #stand(): Promise<void> {
    try {
      this.standing = await api.standing(this.chosen);
    } catch (cause) {
      if (!(cause instanceof Refusal && cause.status === 403)) throw cause;
      this.standing = undefined;
    }
  }

  #forget(): void {
    this.live = this.show = this.found = this.open = this.standing = this.refund = this.settled = this.notices = this.failures = this.crowd = undefined;
    this.moreNotices = "";
  }

  async #write(): Promise<void> {
    if (!this.standing) return;
    const page = await letters.notices(this.standing.event.id);
    this.notices = page.notices;
    this.moreNotices = page.next ?? "";
  }

  /** How far messages are that were sent off; those before the newest twenty stay as they were read. */
  async #written(id: string): Promise<void> {
    if (!this.standing || !this.notices?.some((each) => each.waiting + each.posted > 0)) return;
    const { notices } = await letters.notices(this.standing.event.id);
    if (id === this.chosen) this.notices = [...notices, ...this.notices.filter((each) => notices.length > 0 && each.id < notices.at(-1)!.id)];
  }

  async #refund(): Promise<void> {
    if (this.showState === "canceled") this.refund = await api.refund(this.chosen);
  }

  async #settle(id: string, money: string): Promise<void> {
    const { sale } = this;
    const [performance, whole] = await Promise.all([api.settlement(id), sale === "" ? [] : api.saleSettlement(sale)]);
    if (id !== this.chosen) return;
    this.settled = { performance, sale: whole };
    this.#settledOf = money;
    this.#settleAt = Date.now() + settleEvery;
  }

  async #first(): Promise<void> {
    const page = await api.orders(this.chosen, this.wanted);
    this.found = page.orders;
    this.moreFound = page.next ?? "";
  }

  async #look(): Promise<void> {
    const id = this.chosen;
    const [live, units] = await Promise.all([api.live(id), availability(id, this.#etag)]);
    if (id !== this.chosen) return;
    this.live = live;
    this.#etag = units.etag;
    if (units.body) this.#units.set(units.body);
    if (this.refund && !over(this.refund)) await this.#refund();
    await this.#written(id);
    const money = JSON.stringify(live.money);
    if (money !== this.#settledOf && Date.now() >= this.#settleAt) await this.#settle(id, money);
    this.fresh = true;
  }

  #lookOn(): void {
    this.#timer = setTimeout(async () => {
      if (this.staff !== "yes") return;
      // Nobody looks at a page that is hidden.
      if (!document.hidden) {
        await this.#look().catch((cause: unknown) => {
          this.fresh = false;
          return this.turnedAway(cause);
        });
        this.changed();
      }
      this.#lookOn();
    }, lookEvery);
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, (refusal) => words.refusals[refusal.code]);
    // Somebody else was here: what is shown is theirs now.
    if (cause instanceof Refusal && ["changed-meanwhile", "event-state", "performance-not-canceled"].includes(cause.code)) await this.#stand().catch(() => undefined);
  }
}

const none: ReadonlySet<number> = new Set();
