// Who of the staff somebody is, and for which organization they do what they do. What the
// desk asks goes through here; the cookie of the sign-in is the credential: of a key, or of
// an account.

import { download } from "./download";
import { type Answer, call as ask, type Options } from "./http";
import * as ops from "./ops";

/** What roles are in; the installation has no organization. */
export interface Place {
  organization?: string;
  name?: string;
  roles: string[];
}

/** What a request says in place of an organization's id, of who works for the installation. */
export const installation = "installation";

const kept = "ropeline-organization";

let now: string | undefined;

/** For whom this tab works; "": nobody has chosen. */
export function chosen(): string {
  if (now === undefined) {
    try {
      now = sessionStorage.getItem(kept) ?? "";
    } catch {
      now = ""; // a browser that keeps nothing: it is chosen on each page
    }
  }
  return now;
}

const keptName = `${kept}-name`;

/** What that is called; "": the installation. */
export function chosenName(): string {
  try {
    return sessionStorage.getItem(keptName) ?? "";
  } catch {
    return "";
  }
}

/** "": it is to be chosen anew. */
export function choose(organization: string, name = ""): void {
  now = organization;
  try {
    if (organization === "") sessionStorage.removeItem(kept);
    else sessionStorage.setItem(kept, organization);
    sessionStorage.setItem(keptName, name);
  } catch {
    // As above.
  }
}

/** The header that says so. */
export const forWhom = (): Record<string, string> => (chosen() === "" ? {} : { "Ropeline-Organization": chosen() });

export const call = <T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> => ask<T>(method, path, { ...options, headers: { ...forWhom(), ...options.headers } });

/** Where somebody works. */
export const places = async () => (await ask<{ places: Place[] }>("GET", "/api/v1/organizer/staff")).body.places;

/** Of a key and of an account: whichever it was. */
export async function signOut(): Promise<void> {
  await ops.signOut();
  await ask("POST", "/api/v1/accounts/sign-out", { body: {}, accept: [404] }); // there may be no accounts here
  choose("");
}

/** A file for whom somebody works. */
export const file = (path: string): Promise<Blob> => download(path, forWhom());
