// Who works for an organization, and the keys of its programs.

import { call } from "./http";
import { installation, type Place, places } from "./staff";

export interface Organization {
  id: string;
  name: string;
}

export interface Member {
  id: string;
  email: string;
  name?: string;
  roles: string[];
  second_factor: boolean;
  since: string;
  /** Of the roles; missing: an invitation. */
  version?: number;
  until?: string;
}

export interface Key {
  id: string;
  name: string;
  scopes: string[];
  at: string;
  seen?: string;
  ends?: string;
  revoked?: string;
}

export interface Page<T> {
  list: T[];
  next: string;
}

const root = "/api/v1/organizer/organizations";
const of = (organization: string) => `${root}/${encodeURIComponent(organization)}`;

async function page<N extends string, T>(path: string, name: N, cursor: string): Promise<Page<T>> {
  const body = (await call<Record<N, T[]> & { next?: string }>("GET", `${path}?limit=50${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`)).body;
  return { list: body[name], next: body.next ?? "" };
}

/** Where somebody may say who works: their own organizations, or all of them and the installation. */
export async function organizations(): Promise<Organization[]> {
  const mine = await places();
  const may = (place: Place, roles: string[]) => place.roles.some((role) => roles.includes(role));
  if (!mine.some((each) => each.organization === undefined && may(each, ["sre", "admin"]))) {
    return mine.filter((each) => may(each, ["organizer"])).map((each) => ({ id: each.organization ?? installation, name: each.name ?? "" }));
  }
  const all: Organization[] = [];
  for (let cursor = ""; ; ) {
    const { list, next } = await page<"organizations", Organization>(root, "organizations", cursor);
    all.push(...list);
    if (next === "") return [...all, { id: installation, name: "" }];
    cursor = next;
  }
}

export const members = (organization: string, cursor = "") => page<"members", Member>(`${of(organization)}/members`, "members", cursor);
export const invite = (organization: string, email: string, roles: string[], key: string) =>
  call<Member>("POST", `${of(organization)}/invitations`, { headers: { "Idempotency-Key": key }, body: { email, roles } });
export const setRoles = (organization: string, member: Member, roles: string[]) =>
  call("PUT", `${of(organization)}/members/${encodeURIComponent(member.id)}`, { headers: { "If-Match": `"${member.version}"` }, body: { roles } });
export const remove = (organization: string, member: string) => call("DELETE", `${of(organization)}/members/${encodeURIComponent(member)}`);

export const keys = (organization: string, cursor = "") => page<"keys", Key>(`${of(organization)}/keys`, "keys", cursor);
/** With its secret, which nobody is shown again. */
export const makeKey = async (organization: string, name: string, scopes: string[], days: number, key: string) =>
  (await call<Key & { secret: string }>("POST", `${of(organization)}/keys`, { headers: { "Idempotency-Key": key }, body: { name, scopes, ...(days > 0 ? { days } : {}) } })).body;
export const revoke = (organization: string, key: string) => call("DELETE", `${of(organization)}/keys/${encodeURIComponent(key)}`);
