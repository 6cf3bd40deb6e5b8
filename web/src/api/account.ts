// The routes of accounts. Who is signed in has a cookie that no script reads.

import type { Account, Followed, Gift, MyOrder, Order, Profile, Reminder, SignInPlace } from "./documents";
import { call, Refusal } from "./http";

const accounts = "/api/v1/accounts";
const me = "/api/v1/me";

export const signUp = (email: string, password: string, profile: Profile) =>
  call("POST", accounts, { body: { email, password, name: profile.name || undefined, language: profile.language, time_zone: profile.time_zone } });
export const forgot = (email: string) => call("POST", `${accounts}/forgot`, { body: { email } });

interface SignIn {
  /** For a code of the second factor. */
  waits: boolean;
}

export const confirm = (token: string, password: string) => call<SignIn>("POST", `${accounts}/confirm`, { body: { token, password } });
/** Takes an invitation to work for an organization, as who is signed in. */
export const accept = async (token: string) => (await call<{ name?: string; roles: string[] }>("POST", `${me}/invitations/accept`, { body: { token } })).body;
export const move = (token: string) => call("POST", `${accounts}/move`, { body: { token } });
export const reset = (token: string, password: string) => call("POST", `${accounts}/reset`, { body: { token, password } });
export const signIn = async (email: string, password: string) => (await call<SignIn>("POST", `${accounts}/sign-in`, { body: { email, password } })).body;
export const second = (code: string) => call<SignIn>("POST", `${accounts}/second`, { body: { code } });
export const signOut = () => call("POST", `${accounts}/sign-out`, { body: {} });

/** Where else somebody may sign in. */
export interface Provider {
  name: string;
  title: string;
}

let known: Provider[] = [];

export async function providers(): Promise<Provider[]> {
  return (known = (await call<{ providers: Provider[] }>("GET", `${accounts}/providers`)).body.providers);
}

/** As they were told last. */
export const knownProviders = () => known;

/** The address to go to; next: the page of ours that follows. */
export const beginElsewhere = async (name: string, next: string) => (await call<{ address: string }>("POST", `${accounts}/providers/${encodeURIComponent(name)}`, { body: { next } })).body.address;

/** An account elsewhere that is joined with this one. title: of the provider, if it is one of ours still. */
export interface Identity {
  id: string;
  issuer: string;
  title?: string;
  at: string;
}

export const identities = async () => (await call<{ identities: Identity[] }>("GET", `${me}/identities`)).body.identities;
export const join = async (name: string, password: string, next: string) => (await call<{ address: string }>("PUT", `${me}/providers/${encodeURIComponent(name)}`, { body: { password, next } })).body.address;
export const part = (id: string) => call("DELETE", `${me}/identities/${encodeURIComponent(id)}`);

/** With the version that a change replaces. */
export interface Mine {
  account: Account;
  etag: string;
}

/** undefined: nobody is signed in. */
export async function signedIn(): Promise<Mine | undefined> {
  try {
    const answer = await call<Account>("GET", me);
    return { account: answer.body, etag: answer.headers.get("ETag") ?? "" };
  } catch (cause) {
    if (cause instanceof Refusal && cause.status === 401) return undefined;
    throw cause;
  }
}

export async function putProfile(etag: string, profile: Profile): Promise<Mine> {
  const answer = await call<Account>("PUT", me, { headers: { "If-Match": etag }, body: profile });
  return { account: answer.body, etag: answer.headers.get("ETag") ?? "" };
}

export const setPassword = (password: string, next: string) => call("PUT", `${me}/password`, { body: { password, new: next } });
export const setEmail = (password: string, email: string) => call("PUT", `${me}/email`, { body: { password, email } });
export const erase = (password: string) => call("POST", `${me}/erase`, { body: { password } });
export const exported = `${me}/export`;

export const places = async () => (await call<{ sign_ins: SignInPlace[] }>("GET", `${me}/sign-ins`)).body.sign_ins;
export const endPlace = (id: string) => call("DELETE", `${me}/sign-ins/${encodeURIComponent(id)}`);
export const endOthers = () => call("DELETE", `${me}/sign-ins`);

export const beginSecond = async (password: string) => (await call<{ address: string; qr: string }>("PUT", `${me}/second-factor`, { body: { password } })).body;
export const proveSecond = async (code: string) => (await call<{ codes: string[] }>("POST", `${me}/second-factor/prove`, { body: { code } })).body.codes;
export const removeSecond = (code: string) => call("POST", `${me}/second-factor/remove`, { body: { code } });

export const orders = async (cursor = "") => (await call<{ orders: MyOrder[]; next?: string }>("GET", `${me}/orders${cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`}`)).body;
/** With its key. */
/** Tickets that others have given to this account; good: valid, and still theirs. */
export const gifts = async () => (await call<{ tickets: Gift[] }>("GET", `${me}/tickets`)).body.tickets;

export const order = async (id: string) => (await call<Order>("GET", `${me}/orders/${encodeURIComponent(id)}`)).body;
export const claimOrders = async () => (await call<{ claimed: number }>("POST", `${me}/orders/claim`, { body: {} })).body.claimed;

/** What was told to who has the account. */
export interface Message {
  id: string;
  at: string;
  read: boolean;
  subject: string;
  text: string;
}

export const messages = async (cursor = "") => (await call<{ messages: Message[]; unread: number; next?: string }>("GET", `${me}/messages${cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`}`)).body;
export const tellings = ["change", "reminder", "sale", "turn"] as const;
export type Telling = (typeof tellings)[number];

/** How somebody is told of what. */
export interface Channels {
  phone?: string;
  /** By text message, too. */
  texts: Telling[];
  /** By no mail. */
  silent: Telling[];
}

export interface Chosen extends Channels {
  /** The code was typed that was texted to the number. */
  confirmed: boolean;
  /** Until when a code is good that was sent. */
  code_until?: string;
  /** Text messages are sent at all. */
  texting: boolean;
}

export const channels = async () => (await call<Chosen>("GET", `${me}/channels`)).body;
export const putChannels = async ({ phone, texts, silent }: Channels) => (await call<Chosen>("PUT", `${me}/channels`, { body: { phone: phone || undefined, texts, silent } })).body;
export const sendPhoneCode = () => call("POST", `${me}/channels/code`, { body: {} });
export const provePhone = async (code: string) => (await call<Chosen>("POST", `${me}/channels/prove`, { body: { code } })).body;

export const markMessage = (id: string, read: boolean) => call("PUT", `${me}/messages/${encodeURIComponent(id)}`, { body: { read } });

/** What an organization writes, for who has asked for it. */
export interface Newsletter {
  organization: string;
  name: string;
  state: "none" | "asked" | "given" | "withdrawn";
  since?: string;
}

const newsletter = (organization: string) => `${me}/newsletters/${encodeURIComponent(organization)}`;

export const newsletters = async (cursor = "") => (await call<{ newsletters: Newsletter[]; next?: string }>("GET", `${me}/newsletters${cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`}`)).body;
/** words: that were shown. */
export const subscribe = (organization: string, words: string) => call("PUT", newsletter(organization), { body: { words } });
export const unsubscribe = (organization: string) => call("DELETE", newsletter(organization));

const performer = (id: string) => `${me}/performers/${encodeURIComponent(id)}`;

const reminders = `${me}/reminders`;
export const reminder = async () => (await call<Reminder>("GET", reminders)).body;
export const remind = async (days: number) => (await call<Reminder>("PUT", reminders, { body: { days } })).body;

export const following = async (cursor = "") =>
  (await call<{ performers: Followed[]; next?: string }>("GET", `${me}/performers${cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`}`)).body;
export const follow = (id: string) => call("PUT", performer(id));
export const unfollow = (id: string) => call("DELETE", performer(id));

const watched = (id: string) => `${me}/events/${encodeURIComponent(id)}`;
export const watch = (id: string) => call("PUT", watched(id));
/** Leaves an address of who has no account: a letter asks first whether that is so. */
export const wish = (id: string, email: string) => call("POST", `/api/v1/events/${encodeURIComponent(id)}/wishes`, { body: { email } });
export const unwatch = (id: string) => call("DELETE", watched(id));

/** Whether who is signed in is told when a sale of an event opens. */
export const watches = (id: string) => orNobody(async () => (await call<{ watched: boolean }>("GET", watched(id))).body.watched);

/** Whether who is signed in follows a performer. */
export const follows = (id: string) => orNobody(async () => (await call<{ followed: boolean }>("GET", performer(id))).body.followed);

async function orNobody(ask: () => Promise<boolean>): Promise<boolean | "nobody"> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof Refusal && cause.status === 401) return "nobody";
    throw cause;
  }
}
