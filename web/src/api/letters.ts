// How an organization words its letters, and letters that were given up.

import { send } from "./files";
import { call, forWhom } from "./staff";

export interface Words {
  subject: string;
  text: string;
}

export interface Wording extends Words {
  letter: string;
  language: string;
  /** 0: the organization never said anything of it. */
  version: number;
  /** Else these are the installation's words. */
  own: boolean;
  placeholders: string[];
}

/** A letter as it would come. */
export interface Shown extends Words {
  html: string;
}

/** A newsletter that was sent off, and how far it is. */
export interface Newsletter extends Words {
  id: string;
  who: string;
  at: string;
  /** Of whom the others are parts. */
  readers: number;
  waiting: number;
  posted: number;
  sent: number;
  failed: number;
  left: number;
}

/** A letter that was given up. */
export interface Dead {
  id: string;
  state: "failed" | "due" | "sent";
  to?: string;
  subject?: string;
  problem?: string;
  tries: number;
  changed: string;
}

const root = "/api/v1/organizer";
const at = (of: Wording) => `${root}/letters/${encodeURIComponent(of.letter)}/${encodeURIComponent(of.language)}`;
const seen = (of: Wording): Record<string, string> => (of.version === 0 ? { "If-None-Match": "*" } : { "If-Match": `"${of.version}"` });
const because = (reason: string) => (reason === "" ? "" : `?reason=${encodeURIComponent(reason)}`);
/** A refusal says at which field. */
const sent = <T>(method: string, path: string, { subject, text }: Words, headers: Record<string, string>) =>
  send<T>(method, path, JSON.stringify({ subject, text }), "application/json", { ...forWhom(), ...headers });

export const wordings = async () => (await call<{ letters: Wording[] }>("GET", `${root}/letters`)).body.letters;
export const put = async (of: Wording, words: Words, reason: string) => (await sent<Wording>("PUT", at(of) + because(reason), words, seen(of))).body;
export const reset = async (of: Wording, reason: string) => (await call<Wording>("DELETE", at(of) + because(reason), { headers: seen(of) })).body;
/** Nothing is kept of it. */
export const preview = async (of: Wording, words: Words) => (await sent<Shown>("POST", `${at(of)}/preview`, words, {})).body;

/** As it would arrive, and how many would get it. */
export const previewNewsletter = async (words: Words) => (await sent<Shown & { readers: number }>("POST", `${root}/newsletters/preview`, words, {})).body;
/** The same key again sends nothing more. */
export const sendNewsletter = async (words: Words, key: string) => (await sent<Newsletter>("POST", `${root}/newsletters`, words, { "Idempotency-Key": key })).body;
export const newsletters = async (cursor = "") => (await call<{ newsletters: Newsletter[]; next?: string }>("GET", `${root}/newsletters?limit=20&cursor=${encodeURIComponent(cursor)}`)).body;

export const dead = async (cursor = "") => (await call<{ letters: Dead[]; next?: string }>("GET", `${root}/dead-letters?limit=20&cursor=${encodeURIComponent(cursor)}`)).body;
export const retry = async (id: string) => (await call<Dead>("POST", `${root}/dead-letters/${encodeURIComponent(id)}/retry`)).body;
