// Who works at the desk: by a key, or by an account with a role.

import { Refusal } from "../api/http";
import { signIn } from "../api/ops";
import * as api from "../api/staff";
import { staff as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import { Acting } from "../shop/acting";
import { save } from "../look/save";

/**
 * The sign-in: not known yet, none, without a role for the page, without a second factor,
 * for several organizations of which none is chosen, or good.
 */
export type Staff = "unknown" | "no" | "other" | "second" | "where" | "yes";

const byCode: Record<string, Staff> = {
  "organizer-required": "other",
  "vendor-required": "other",
  "box-office-required": "other",
  "door-required": "other",
  "second-factor-needed": "second",
  "organization-needed": "where",
  "organization-unknown": "where", // the one that was chosen is not theirs any more
};

/** What a refusal says of who asked; undefined: it is about something else. */
export function standing(cause: unknown): Staff | undefined {
  if (!(cause instanceof Refusal)) return undefined;
  return cause.status === 401 ? "no" : byCode[cause.code];
}

export abstract class Working extends Acting {
  staff: Staff = "unknown";
  /** Among which somebody chooses who works for several. */
  places: api.Place[] = [];
  #tried = false; // a key was given

  /** Of a key that is not known, of one that is for something else, and what a page says of a sign-in that is over. */
  protected abstract readonly ofKeys: { wrong: string; other: string; over?: string };
  /** Those that open the page. */
  protected readonly roles: readonly string[] = ["organizer", "sre"];

  /** Signs in, if there is a key, and reads what is to be seen. */
  abstract start(key: string): Promise<void>;
  abstract leave(): Promise<void>;

  workFor(place: api.Place): Promise<void> {
    api.choose(place.organization ?? api.installation, place.name);
    return this.start("");
  }

  /** Sends for a file, and hands it to the browser by this name. */
  download(path: string, name: string): Promise<void> {
    return this.act(async () => save(await api.file(path), name));
  }

  protected async signIn(key: string): Promise<void> {
    this.#tried = key !== "";
    if (this.#tried) await signIn(key);
  }

  protected async signOut(): Promise<void> {
    await api.signOut();
    this.staff = "no";
  }

  /** Whether something went wrong with the sign-in; then it is said, and the page is closed. */
  protected async turnedAway(cause: unknown): Promise<boolean> {
    const staff = standing(cause);
    if (staff === undefined) return false;
    const worked = this.staff === "yes";
    this.staff = staff;
    this.problem = "";
    if (staff === "no") this.problem = worked ? (this.ofKeys.over ?? words.over) : this.#tried ? this.ofKeys.wrong : "";
    if (staff === "other") this.problem = worked ? words.taken : this.#tried ? this.ofKeys.other : words.none;
    if (staff === "where") await this.#askWhere(cause);
    return true;
  }

  async #askWhere(cause: unknown): Promise<void> {
    api.choose("");
    if (cause instanceof Refusal && cause.code === "organization-unknown") this.problem = words.where.gone;
    try {
      this.places = (await api.places()).filter((each) => each.roles.some((role) => this.roles.includes(role)));
      if (this.places.length === 0) this.problem = words.where.none;
    } catch (cause) {
      this.problem = problemOf(cause, () => undefined);
    }
  }
}
