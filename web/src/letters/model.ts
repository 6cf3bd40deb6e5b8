// The words of an organization's letters, and letters that were given up. Components draw it.

import { Faulty } from "../api/files";
import { Refusal } from "../api/http";
import * as api from "../api/letters";
import { Once } from "../api/once";
import { Working } from "../desk/working";
import { letters as words } from "../messages/en";
import { problemOf } from "../messages/problem";

export type Field = "subject" | "text" | "reason";

export const keyOf = (of: api.Wording) => `${of.letter} ${of.language}`;

export class Letters extends Working {
  protected override readonly ofKeys = words.signIn;
  wordings: api.Wording[] = [];
  /** The key of the one that is shown. */
  chosen = "";
  /** What is wrong with what was typed. */
  faults: Partial<Record<Field, string>> = {};
  shown: api.Shown | undefined;
  /** What somebody else made of it while it was edited. */
  theirs: api.Words | undefined;
  /** undefined: not for who asks. */
  dead: { list: api.Dead[]; next: string } | undefined;
  newsletters: { list: api.Newsletter[]; next: string } | undefined;
  readonly #once = new Once();
  /** Typed, and not saved, by key. */
  readonly #drafts = new Map<string, api.Words>();
  #previews = 0;

  get wording(): api.Wording | undefined {
    return this.wordings.find((each) => keyOf(each) === this.chosen);
  }

  /** What is in the fields. */
  get typed(): api.Words {
    return this.#drafts.get(this.chosen) ?? this.wording ?? { subject: "", text: "" };
  }

  isUnsaved(key: string): boolean {
    return this.#drafts.has(key);
  }

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      await this.#look();
      this.newsletters = await sentOff();
      this.dead = await given().catch(notForAll);
      this.staff = "yes";
      if (this.wordings[0]) this.choose(keyOf(this.wordings[0]));
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.#forget();
    });
  }

  choose(key: string): void {
    this.chosen = key;
    this.faults = {};
    this.theirs = this.shown = undefined;
    this.changed();
    void this.show();
  }

  type(change: Partial<api.Words>): void {
    const { wording } = this;
    if (!wording) return;
    const typed = { ...this.typed, ...change };
    if (typed.subject === wording.subject && typed.text === wording.text) this.#drafts.delete(this.chosen);
    else this.#drafts.set(this.chosen, { subject: typed.subject, text: typed.text });
    this.notice = "";
    this.changed();
  }

  discard(): void {
    this.#drafts.delete(this.chosen);
    this.choose(this.chosen);
  }

  /** Reads how what is typed would arrive; the newest question counts. */
  async show(): Promise<void> {
    const { wording } = this;
    if (!wording) return;
    const mine = ++this.#previews;
    let shown: api.Shown | undefined;
    let faults: Letters["faults"] = {};
    try {
      shown = await api.preview(wording, this.typed);
    } catch (cause) {
      faults = faultsOf(cause);
      if (Object.keys(faults).length === 0 && mine === this.#previews) await this.explain(cause);
    }
    if (mine !== this.#previews) return;
    this.shown = shown;
    this.faults = faults;
    this.changed();
  }

  /** Whether it is saved. */
  async save(reason: string): Promise<boolean> {
    const { wording } = this;
    if (!wording) return false;
    let saved = false;
    this.faults = {};
    await this.act(async () => {
      const now = await api.put(wording, this.typed, reason);
      this.#is(now);
      this.notice = now.version === wording.version ? words.edit.same : words.edit.saved;
      saved = true;
    });
    return saved;
  }

  async reset(reason: string): Promise<void> {
    const { wording } = this;
    if (!wording) return;
    await this.act(async () => {
      this.#is(await api.reset(wording, reason));
      this.notice = words.edit.wasReset;
      void this.show();
    });
  }

  /** How a newsletter would arrive, and for how many; undefined: something is wrong with it, which is said. */
  async lookAtNewsletter(draft: api.Words): Promise<(api.Shown & { readers: number }) | undefined> {
    let shown: (api.Shown & { readers: number }) | undefined;
    await this.act(async () => void (shown = await api.previewNewsletter(draft)));
    return shown;
  }

  /** Whether it is on its way. */
  async sendNewsletter(draft: api.Words): Promise<boolean> {
    let sent = false;
    await this.act(async () => {
      await api.sendNewsletter(draft, this.#once.key(JSON.stringify(draft)));
      this.#once.answered();
      this.newsletters = await sentOff();
      this.notice = words.newsletter.done;
      sent = true;
    });
    return sent;
  }

  lookAgain(): Promise<void> {
    return this.act(async () => void (this.newsletters = await sentOff()));
  }

  async moreNewsletters(): Promise<void> {
    await this.act(async () => {
      const { list, next } = await sentOff(this.newsletters?.next ?? "");
      this.newsletters = { list: [...(this.newsletters?.list ?? []), ...list], next };
    });
  }

  async moreDead(): Promise<void> {
    await this.act(async () => {
      const { list, next } = await given(this.dead?.next ?? "");
      this.dead = { list: [...(this.dead?.list ?? []), ...list], next };
    });
  }

  retry(letter: api.Dead): Promise<void> {
    return this.act(async () => {
      await api.retry(letter.id);
      if (this.dead) this.dead = { ...this.dead, list: this.dead.list.filter((each) => each.id !== letter.id) };
      this.notice = words.dead.again(letter.to ?? words.dead.unknown);
    });
  }

  #is(now: api.Wording): void {
    this.wordings = this.wordings.map((each) => (keyOf(each) === keyOf(now) ? now : each));
    this.#drafts.delete(keyOf(now));
    this.theirs = undefined;
    this.faults = {};
  }

  async #look(): Promise<void> {
    this.wordings = await api.wordings();
  }

  #forget(): void {
    this.wordings = [];
    this.chosen = "";
    this.#drafts.clear();
    this.newsletters = this.dead = this.shown = this.theirs = undefined;
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return this.#forget();
    this.faults = cause instanceof Refusal && cause.code === "newsletter-invalid" ? {} : faultsOf(cause);
    if (Object.keys(this.faults).length > 0) return;
    this.problem = problemOf(cause, () => undefined);
    if (cause instanceof Refusal && cause.status === 412 && this.wording) {
      const typed = { ...this.typed };
      await this.#look().catch(() => {});
      this.#drafts.set(this.chosen, { subject: typed.subject, text: typed.text });
      this.theirs = this.wording;
      this.problem = "";
    }
  }
}

const fields: Record<string, Field> = { "/subject": "subject", "/text": "text" };

/** What a refusal says of fields. */
export function faultsOf(cause: unknown): Letters["faults"] {
  if (!(cause instanceof Refusal)) return {};
  if (cause.code === "reason-invalid") return { reason: words.edit.noReason };
  const faults: Letters["faults"] = {};
  for (const { detail, pointer } of cause instanceof Faulty ? cause.faults : []) {
    const field = fields[pointer ?? ""];
    if (field) faults[field] = detail;
  }
  return faults;
}

const given = async (cursor = "") => {
  const { letters, next } = await api.dead(cursor);
  return { list: letters, next: next ?? "" };
};

const sentOff = async (cursor = "") => {
  const { newsletters, next } = await api.newsletters(cursor);
  return { list: newsletters, next: next ?? "" };
};

/** Letters are of all organizations together, so they are for whoever runs the installation. */
function notForAll(cause: unknown): undefined {
  if (cause instanceof Refusal && (cause.status === 403 || cause.status === 404)) return undefined;
  throw cause;
}
