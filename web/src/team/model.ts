// Who works for one organization, and the keys of its programs. Components draw it.

import { Refusal } from "../api/http";
import { Once } from "../api/once";
import * as staff from "../api/staff";
import * as api from "../api/team";
import { Working } from "../desk/working";
import { team as words } from "../messages/en";
import { problemOf } from "../messages/problem";

export class Team extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["organizer", "admin", "sre"];
  organizations: api.Organization[] = [];
  /** Whose staff is shown; "": not known yet. */
  at = "";
  members: api.Page<api.Member> | undefined;
  /** undefined: the installation has none. */
  keys: api.Page<api.Key> | undefined;
  /** A key that was made just now. */
  made: { name: string; secret: string } | undefined;
  readonly #once = new Once();

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      this.organizations = await api.organizations();
      if (this.organizations.length === 0) return this.#closed();
      await this.#look(this.organizations.find((each) => each.id === staff.chosen())?.id ?? this.organizations[0]!.id);
      this.staff = "yes";
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.#forget();
    });
  }

  choose(organization: string): Promise<void> {
    return this.act(() => this.#look(organization));
  }

  async moreMembers(): Promise<void> {
    await this.act(async () => void (this.members = await more(this.members!, (cursor) => api.members(this.at, cursor))));
  }

  async moreKeys(): Promise<void> {
    await this.act(async () => void (this.keys = await more(this.keys!, (cursor) => api.keys(this.at, cursor))));
  }

  /** Whether the letter is on its way. */
  async invite(email: string, roles: string[]): Promise<boolean> {
    let sent = false;
    await this.act(async () => {
      await api.invite(this.at, email, roles, this.#once.key(JSON.stringify([this.at, email, roles])));
      this.#once.answered();
      await this.#look(this.at);
      this.notice = words.invite.sent(email);
      sent = true;
    });
    return sent;
  }

  setRoles(member: api.Member, roles: string[]): Promise<void> {
    return this.act(async () => {
      await api.setRoles(this.at, member, roles);
      await this.#look(this.at);
      this.notice = words.members.changed(member.email);
    });
  }

  remove(member: api.Member): Promise<void> {
    return this.act(async () => {
      await api.remove(this.at, member.id);
      await this.#look(this.at);
      this.notice = member.version === undefined ? words.members.takenBack(member.email) : words.members.removed(member.email);
    });
  }

  /** Whether it is made; its secret is shown then. */
  async makeKey(name: string, scopes: string[], days: number): Promise<boolean> {
    this.made = undefined;
    await this.act(async () => {
      const made = await api.makeKey(this.at, name, scopes, days, this.#once.key(JSON.stringify([this.at, name, scopes, days])));
      this.#once.answered();
      await this.#look(this.at);
      this.made = { name: made.name, secret: made.secret };
    });
    return this.made !== undefined;
  }

  /** The secret was copied, and is not shown again. */
  kept(): void {
    this.made = undefined;
    this.changed();
  }

  revoke(key: api.Key): Promise<void> {
    return this.act(async () => {
      await api.revoke(this.at, key.id);
      await this.#look(this.at);
      this.notice = words.keys.revoked(key.name);
    });
  }

  async #look(organization: string): Promise<void> {
    const [members, keys] = await Promise.all([api.members(organization), organization === staff.installation ? undefined : api.keys(organization)]);
    if (organization !== this.at) this.made = undefined;
    [this.at, this.members, this.keys] = [organization, members, keys];
  }

  #closed(): void {
    this.#forget();
    this.staff = "other";
    this.problem = words.signIn.other;
  }

  #forget(): void {
    this.organizations = [];
    this.at = "";
    this.members = this.keys = this.made = undefined;
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return this.#forget();
    const { organizations, at } = this;
    if (cause instanceof Refusal && cause.code === "organization-unknown" && organizations.length > 0) return this.#closed();
    this.problem = problemOf(cause, () => undefined);
    if (at !== "" && cause instanceof Refusal && (cause.status === 404 || cause.status === 412)) await this.#look(at).catch(() => {}); // it is not as it was shown
  }
}

async function more<T>(had: api.Page<T>, ask: (cursor: string) => Promise<api.Page<T>>): Promise<api.Page<T>> {
  const { list, next } = await ask(had.next);
  return { list: [...had.list, ...list], next };
}
