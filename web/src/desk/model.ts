// The desk as one organizer works at it: which sale, how its pages look, whether it is
// ready. Components draw it.

import * as api from "../api/desk";
import { Working } from "./working";
import { desk as words } from "../messages/en";
import { problemOf } from "../messages/problem";

/** A form's texts; empty is left out. */
export interface Draft {
  title: string;
  message: string;
  helpText: string;
  helpUrl: string;
  light: { accent: string; ground: string };
  dark: { accent: string; ground: string };
  domains: string;
}

export const draftOf = ({ title = "", message = "", help, colors, domains = [] }: api.Look): Draft => ({
  title,
  message,
  helpText: help?.text ?? "",
  helpUrl: help?.url ?? "",
  light: { accent: "", ground: "", ...colors?.light },
  dark: { accent: "", ground: "", ...colors?.dark },
  domains: domains.join("\n"),
});

export function lookOf(draft: Draft): api.Look {
  const palette = ({ accent, ground }: Draft["light"]): api.Palette => ({ ...(accent.trim() && { accent: accent.trim() }), ...(ground.trim() && { ground: ground.trim() }) });
  const domains = draft.domains.split(/\s+/).filter((each) => each !== "");
  const help = draft.helpText.trim() || draft.helpUrl.trim() ? { text: draft.helpText.trim(), url: draft.helpUrl.trim() } : undefined;
  return {
    ...(draft.title.trim() && { title: draft.title.trim() }),
    ...(draft.message.trim() && { message: draft.message.trim() }),
    ...(help && { help }),
    colors: { light: palette(draft.light), dark: palette(draft.dark) },
    ...(domains.length > 0 && { domains }),
  };
}

const previewAfter = 250;

export class Desk extends Working {
  protected override readonly ofKeys = words.signIn;
  sales: api.Choice[] = [];
  sale = "";
  kept: api.ShownLook = { version: 0, look: {} };
  draft: Draft = draftOf({});
  reason = "";
  page: api.Page | undefined;
  /** What is wrong with what is typed; the page that is shown is the last that was well. */
  wrong = "";
  crowd = 0;
  readiness: api.Readiness | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      this.sales = await api.sales();
      this.staff = "yes";
      const named = new URLSearchParams(location.search).get("sale");
      const first = this.sales.find((each) => each.sale === named) ?? this.sales[0];
      if (first) await this.#open(first.sale);
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
    });
  }

  choose(sale: string): Promise<void> {
    return this.act(() => this.#open(sale));
  }

  type(change: Partial<Draft>): void {
    this.draft = { ...this.draft, ...change };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#preview(), previewAfter);
    this.changed();
  }

  because(reason: string): void {
    this.reason = reason;
    this.changed();
  }

  save(): Promise<void> {
    return this.act(async () => this.#keep(await api.putLook(this.sale, this.kept.version, lookOf(this.draft), this.reason)));
  }

  putLogo(file: File): Promise<void> {
    return this.act(async () => this.#logo(await api.putLogo(this.sale, this.kept.version, file, this.reason || words.logo)));
  }

  removeLogo(): Promise<void> {
    return this.act(async () => this.#logo(await api.removeLogo(this.sale, this.kept.version, this.reason || words.removeLogo)));
  }

  check(crowd: number): Promise<void> {
    this.crowd = crowd;
    return this.act(async () => void (this.readiness = await api.readiness(this.sale, crowd)));
  }

  async #open(sale: string): Promise<void> {
    this.sale = sale;
    history.replaceState(null, "", `?sale=${encodeURIComponent(sale)}`);
    this.kept = (await api.look(sale)) ?? { version: 0, look: {} };
    this.draft = draftOf(this.kept.look);
    this.reason = "";
    await this.#preview();
    this.readiness = await api.readiness(sale, this.crowd);
  }

  #keep(kept: api.ShownLook): void {
    this.kept = kept;
    this.reason = "";
    this.notice = words.saved(kept.version);
  }

  /** A logo that was put leaves what is typed as it is. */
  async #logo(kept: api.ShownLook): Promise<void> {
    this.#keep(kept);
    await this.#preview();
  }

  async #preview(): Promise<void> {
    const of = this.draft;
    try {
      const page = await api.preview(this.sale, lookOf(of));
      if (of !== this.draft) return; // somebody has typed on
      [this.page, this.wrong] = [page, ""];
    } catch (cause) {
      if (of !== this.draft) return;
      this.wrong = problemOf(cause, () => undefined);
    }
    this.changed();
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, () => undefined);
  }
}
