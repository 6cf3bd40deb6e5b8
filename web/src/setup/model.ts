// A show on the way to its sale, as one organizer sets it up. What is typed is kept on the
// server while it is typed. Components draw it.

import * as desk from "../api/desk";
import { Refusal } from "../api/http";
import { Once } from "../api/once";
import * as api from "../api/setup";
import { save } from "../look/save";
import { Working } from "../desk/working";
import { setup as words } from "../messages/en";
import { timeOfDay } from "../messages/format";
import { problemOf } from "../messages/problem";
import { blank, codeFaults, type Draft, draftOf, type Faults, faultsOf, programOf, says, type Step, steps, type Venue, venueOf, zoneOf } from "./draft";

/** Step one, as it is typed: performers and a tour by their names. */
export interface Show {
  title: string;
  about: string;
  category: string;
  performers: string[];
  tour: string;
  picture: string;
}

const noShow: Show = { title: "", about: "", category: "", performers: [], tour: "", picture: "" };
const keepAfter = 800;
const askEvery = 500;
const askMost = 40;

export class Setup extends Working {
  protected override readonly ofKeys = words.signIn;
  events: api.KeptEvent[] = [];
  categories: api.Category[] = [];
  performers: api.Named[] = [];
  tours: api.Named[] = [];
  choices: api.VenueLine[] = [];

  event: api.KeptEvent | undefined;
  fresh = false;
  step: Step = "show";
  show: Show = noShow;
  draft: Draft = blank("");
  venues = new Map<string, Venue>();
  near: Record<string, { title: string; starts_at: string }[]> = {};
  wrong: Faults = {};
  keptAt = "";
  typing = false;
  /** Somebody else has changed what is open here. */
  conflict: "" | "show" | "draft" = "";

  /** What the sale is made of; version 0: it is not made. */
  made: { version: number; program?: api.MadeProgram } = { version: 0 };
  published: api.Publication | undefined;
  readiness: desk.Readiness | undefined;
  /** Presale codes that are asked for, and those that were made. */
  codes = { lane: "", name: "", count: "100", uses: "1" };
  batches: api.CodeBatch[] = [];
  crowd = 0;
  reason = "";

  #version = 0; // of the draft
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #keys: Record<string, Once> = {};

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      [this.events, this.categories, this.performers, this.tours, this.choices] = await Promise.all([api.events(), api.categories(), api.performers(), api.tours(), api.venues()]);
      this.staff = "yes";
      const at = new URLSearchParams(location.search);
      const id = at.get("event");
      if (id === null) return;
      await this.#open(id);
      const step = at.get("step") as Step;
      if (steps.includes(step)) this.step = step;
      if (this.step === "open") await this.#look();
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.#flush();
      await this.signOut();
      this.event = undefined;
    });
  }

  /** A new show begins with its title. */
  begin(): void {
    [this.event, this.fresh, this.show, this.wrong, this.draft] = [undefined, true, noShow, {}, blank("")];
    this.#version = 0;
    this.made = { version: 0 };
    this.#go("show");
  }

  open(id: string): Promise<void> {
    return this.act(async () => {
      await this.#open(id);
      this.#go(this.step);
      if (this.step === "open") await this.#look();
    });
  }

  list(): Promise<void> {
    return this.act(async () => {
      await this.#flush();
      [this.event, this.fresh] = [undefined, false];
      history.pushState(null, "", location.pathname);
      this.events = await api.events();
    });
  }

  /** Any step may be looked at, in any order; what is missing is said at the end. */
  visit(step: Step): Promise<void> {
    return this.act(async () => {
      await this.#flush();
      this.wrong = {};
      this.#go(step);
      if (step === "open") await this.#look();
    });
  }

  /** The step that the browser's own Back leads to. */
  wander(): void {
    const at = new URLSearchParams(location.search);
    if ((at.get("event") ?? "") !== (this.event?.id ?? "")) return location.reload();
    this.step = (at.get("step") as Step | null) ?? "show";
    this.wrong = {};
    this.changed();
  }

  tell(change: Partial<Show>): void {
    this.show = { ...this.show, ...change };
    this.typing = true;
    if (this.show.title.trim() !== "") this.wrong = {};
    this.changed();
  }

  type(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    this.typing = true;
    this.#mend(faultsOf(this.step, this.draft, this.known));
    this.#soon();
    this.changed();
  }

  /** What is mended is wrong no more; what is new is said when it is kept. */
  #mend(still: Faults): void {
    this.wrong = Object.fromEntries(Object.keys(this.wrong).flatMap((name) => (still[name] ? [[name, still[name]]] : [])));
  }

  because(reason: string): void {
    this.reason = reason;
    this.changed();
  }

  /** Keeps a step; what is wrong with it is said at its fields. */
  next(): Promise<void> {
    return this.act(async () => {
      if (this.step === "show") await this.#keepShow();
      else {
        this.wrong = faultsOf(this.step, this.draft, this.known);
        if (Object.keys(this.wrong).length > 0) throw new Wrong();
        await this.#keep();
      }
      const step = steps[steps.indexOf(this.step) + 1] ?? "open";
      this.#go(step);
      if (step === "open") await this.#look();
    });
  }

  async chooseVenue(i: number, venue: string): Promise<void> {
    this.night(i, { venue, prices: undefined }); // the house before has other categories
    await this.act(() => this.#meet([venue]));
    void this.warn(i);
  }

  night(i: number, change: Partial<Draft["nights"][number]>): void {
    this.type({ nights: this.draft.nights.map((night, n) => (n === i ? { ...night, ...change } : night)) });
  }

  /** Looks whether something is near a date in its venue; that it cannot be known stops nobody. */
  async warn(i: number): Promise<void> {
    const night = this.draft.nights[i];
    if (!night || night.venue === "" || faultsOf("dates", { ...this.draft, nights: [night] }, this.known)["starts-0"]) return;
    const own = new Set(this.made.program ? this.draft.nights.map((each) => each.starts) : []);
    if (own.has(night.starts)) return; // it is ours, and made
    try {
      this.near = { ...this.near, [`${night.venue} ${night.starts}`]: await api.clashes(night.venue, night.starts) };
    } catch (cause) {
      if (!(cause instanceof Refusal)) return; // it is said where something is kept
    }
    this.changed();
  }

  upload(file: File, what: string): Promise<void> {
    return this.act(async () => {
      const { id } = await this.#once("picture", `${file.name} ${file.size} ${file.lastModified} ${what}`, (key) => api.createPicture(file, what, key));
      this.tell({ picture: id });
      this.notice = words.show.uploaded;
    });
  }

  /** After a conflict: what is kept is shown, or what is here is put in its place. */
  settle(whose: "theirs" | "mine"): Promise<void> {
    return this.act(async () => {
      const { conflict, step } = this;
      const id = this.event!.id;
      if (whose === "theirs") {
        await this.#open(id);
        this.step = step;
        return;
      }
      // What is typed here stays where it is; only what it replaces is looked up.
      if (conflict === "show") this.event = await api.event(id);
      else this.#version = (await api.draft(id))?.version ?? 0;
      this.conflict = "";
      await (conflict === "show" ? this.#keepShow() : this.#keep());
    });
  }

  /** What is said below the fields: as long as one of them is wrong, that one is. */
  get said(): string {
    return this.problem || (Object.keys(this.wrong).length > 0 ? words.look : "");
  }

  get known() {
    return { venues: this.venues, now: new Date() };
  }

  get zone(): string {
    return zoneOf(this.draft, this.venues);
  }

  /** Steps that are not finished. */
  get unfinished(): Step[] {
    return steps.filter((step) => step !== "show" && Object.keys(faultsOf(step, this.draft, this.known)).length > 0);
  }

  get program(): api.Program {
    return programOf(this.draft, this.event!.id, this.venues);
  }

  /** The sale does not say what is typed. */
  get differs(): boolean {
    return this.made.program === undefined || this.unfinished.length > 0 || !says(this.made.program, this.draft, this.venues);
  }

  make(): Promise<void> {
    return this.act(async () => {
      await this.#flush();
      const before = this.made.version;
      try {
        this.made = await api.putProgram(this.program, before, before > 0 ? this.reason || words.open.reasonOpen : "");
      } catch (cause) {
        if (before === 0 && cause instanceof Refusal && cause.status === 412) {
          this.wrong = { id: words.wrong.idTaken };
          this.#go("sale");
          throw new Wrong();
        }
        throw cause;
      }
      this.notice = before > 0 ? words.open.applied : "";
      this.event = await api.event(this.event!.id); // it has dates now
      await this.#look();
    });
  }

  check(crowd: number): Promise<void> {
    this.crowd = crowd;
    return this.act(() => this.#check());
  }

  /** Publishes the event and asks for the sale to be opened, and waits for that. */
  go(): Promise<void> {
    return this.act(async () => {
      const sale = this.made.program!.sale;
      this.event = await api.event(this.event!.id);
      if (this.event.state !== "published") this.event = await api.setState(this.event.id, this.event.version, "published", words.open.reasonOpen);
      this.published = await api.publish(sale.id, sale.version ?? 1, this.reason);
      this.changed();
      for (let asked = 0; this.published?.state === "asked" && asked < askMost; asked++) {
        await new Promise((later) => setTimeout(later, askEvery));
        this.published = await api.publication(sale.id);
      }
      if (this.published?.state === "asked") this.notice = words.open.slow;
      if (this.published?.state === "done") this.reason = "";
      await this.#check();
    });
  }

  ask(change: Partial<Setup["codes"]>): void {
    this.codes = { ...this.codes, ...change };
    this.#mend(codeFaults(this.codes));
    this.changed();
  }

  /** Makes codes, and hands them to the browser as a file: they are shown this once. */
  makeCodes(): Promise<void> {
    return this.act(async () => {
      const { lane, name, count, uses } = this.codes;
      this.wrong = codeFaults(this.codes);
      if (Object.keys(this.wrong).length > 0) throw new Wrong();
      const sale = this.made.program!.sale.id;
      const rules = { lane: lane || this.coded[0]!.name, name: name.trim(), count: Number(count), uses: Number(uses) };
      const made = await this.#once("codes", JSON.stringify([sale, rules]), (key) => api.makeCodes(sale, rules, key));
      save(new Blob([`code\r\n${made.codes.join("\r\n")}\r\n`], { type: "text/csv" }), `${sale}-${made.name}.csv`);
      this.codes = { ...this.codes, name: "" };
      this.notice = words.codes.made(made.codes.length, made.name);
      await this.#check(); // which had found none
    });
  }

  withdrawCodes(name: string): Promise<void> {
    return this.act(async () => {
      const sale = this.made.program!.sale.id;
      await api.withdrawCodes(sale, name, words.codes.reason);
      this.notice = words.codes.withdrawn(name);
      await this.#check();
    });
  }

  /** The lanes that one comes into by a code, once the room knows them. */
  get coded(): api.Lane[] {
    return this.published?.published ? (this.made.program?.sale.lanes ?? []).filter((lane) => lane.entry.includes("code")) : [];
  }

  async #open(id: string): Promise<void> {
    const [event, kept] = await Promise.all([api.event(id), api.draft(id)]);
    [this.event, this.fresh, this.conflict, this.wrong] = [event, false, "", {}];
    this.#version = kept?.version ?? 0;
    this.draft = draftOf(kept?.document, event.title);
    this.#show(event);
    this.typing = false;
    await this.#meet(this.draft.nights.map((night) => night.venue));
    this.made = this.draft.id === "" ? { version: 0 } : await api.program(this.draft.id);
    if (this.made.program?.event_id !== id) this.made = { version: 0 }; // another's, at the same address
    this.step = kept ? (this.unfinished[0] ?? "open") : "show";
    this.published = this.made.program ? await api.publication(this.draft.id) : undefined;
  }

  #show(event: api.KeptEvent): void {
    const name = (list: api.Named[], id: string | undefined) => list.find((each) => each.id === id)?.name ?? "";
    this.show = {
      title: event.title,
      about: event.about ?? "",
      category: event.category ?? "",
      performers: (event.performers ?? []).map((id) => name(this.performers, id) || id),
      tour: name(this.tours, event.tour),
      picture: event.picture ?? "",
    };
  }

  /** Reads the maps of venues that are not known yet. */
  async #meet(ids: string[]): Promise<void> {
    for (const id of new Set(ids)) {
      if (id === "" || this.venues.has(id)) continue;
      const [map, details] = await Promise.all([api.venueMap(id), api.venueZone(id)]);
      this.venues.set(id, venueOf(id, details.time_zone, map));
    }
  }

  /** Makes something once, however often it is asked for until there is an answer. */
  async #once<T>(what: string, of: string, make: (key: string) => Promise<T>): Promise<T> {
    const once = (this.#keys[what] ??= new Once());
    const made = await make(once.key(of));
    once.answered();
    return made;
  }

  async #keepShow(): Promise<void> {
    const { title, about, category, picture } = this.show;
    this.wrong = title.trim() === "" ? { title: words.wrong.missing } : [...title].length > 200 ? { title: words.wrong.titleLong } : {};
    if (Object.keys(this.wrong).length > 0) throw new Wrong();
    const performers: string[] = [];
    for (const name of this.show.performers) performers.push(await this.#named(this.performers, "performer", name));
    const tour = this.show.tour.trim() === "" ? "" : await this.#named(this.tours, "tour", this.show.tour.trim());
    const event: api.Event = {
      ...(this.event?.metadata && { metadata: this.event.metadata }),
      title: title.trim(),
      ...(about.trim() && { about: about.trim() }),
      ...(category && { category }),
      performers,
      ...(tour && { tour }),
      ...(picture && { picture }),
    };
    if (this.event) this.event = await api.putEvent(this.event.id, this.event.version, event, words.show.reason);
    else {
      this.event = await this.#once("event", JSON.stringify(event), (key) => api.createEvent(event, key));
      this.fresh = false;
      this.draft = blank(event.title);
    }
    this.#show(this.event);
    this.#said();
  }

  /** The id of what has a name, which is made if it is new. */
  async #named(list: api.Named[], what: "performer" | "tour", name: string): Promise<string> {
    const there = list.find((each) => each.name === name || each.id === name);
    if (there) return there.id;
    const made = await this.#once(what, name, (key) => (what === "tour" ? api.createTour : api.createPerformer)(name, key));
    list.push(made);
    return made.id;
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.busy) this.#soon();
      else void this.act(() => this.#keep());
    }, keepAfter);
  }

  /** What is typed is kept before something else is done. */
  async #flush(): Promise<void> {
    if (this.typing && this.event && this.step !== "show") await this.#keep();
  }

  async #keep(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.event || this.conflict !== "") return;
    const of = this.draft;
    await this.#meet(of.nights.map((night) => night.venue));
    this.#version = (await api.putDraft(this.event.id, this.#version, of)).version;
    if (of === this.draft) this.#said();
  }

  #said(): void {
    this.typing = false;
    this.keptAt = timeOfDay(new Date());
  }

  async #look(): Promise<void> {
    await this.#meet(this.draft.nights.map((night) => night.venue));
    if (this.made.program) await this.#check();
  }

  async #check(): Promise<void> {
    if (this.coded.length > 0) this.batches = await api.codes(this.made.program!.sale.id);
    this.readiness = await desk.readiness(this.made.program!.sale.id, this.crowd);
  }

  #go(step: Step): void {
    this.step = step;
    const at = this.event ? `?event=${encodeURIComponent(this.event.id)}&step=${step}` : "?new";
    if (location.search !== at) history.pushState(null, "", at);
    this.changed();
    document.querySelector("main h2")?.scrollIntoView({ block: "nearest" });
  }

  protected async explain(cause: unknown): Promise<void> {
    if (cause instanceof Wrong) return; // it is said at its field, and below them all
    if (cause instanceof Refusal && cause.code === "changed-meanwhile") {
      this.conflict = this.step === "show" ? "show" : "draft";
      return;
    }
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, () => undefined);
  }
}

/** Something is wrong, and said at its field. */
class Wrong extends Error {}
