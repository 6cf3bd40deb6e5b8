// What people say of events: what everybody reads, what somebody writes, and what staff do with it.

import { call, Refusal } from "./http";
import { call as staff } from "./staff";

export type Kind = "review" | "question" | "comment";

export interface Rating {
  count: number;
  average: number;
  /** How many have one star, two, and so on. */
  stars: number[];
}

export interface Post {
  id: string;
  kind: Kind;
  at: string;
  edited?: string;
  /** Taken back: only its place is left, with what others have said to it. */
  gone?: boolean;
  name: string;
  stars?: number;
  text: string;
  answer?: { text: string; by: string; at: string };
  comments: number;
}

export interface Own {
  id: string;
  kind: Kind;
  event: string;
  at: string;
  name: string;
  stars?: number;
  text: string;
  state: "waiting" | "shown" | "refused" | "gone";
  reason?: string;
}

export interface Standing {
  name: string;
  /** They may write a review. */
  there: boolean;
  review?: Own;
}

export interface Draft {
  kind: Kind;
  event?: string;
  parent?: string;
  stars?: number;
  name: string;
  text: string;
}

export type Order = "newest" | "best" | "worst";

const me = "/api/v1/me";
const at = encodeURIComponent;
const posts = (event: string) => `/api/v1/events/${at(event)}/posts`;

export const list = async (event: string, kind: Kind, order: Order, cursor: string) =>
  (await call<{ rating: Rating; posts: Post[]; next?: string }>("GET", `${posts(event)}?kind=${kind}&order=${order}&limit=10&cursor=${at(cursor)}`)).body;
export const comments = async (event: string, post: string, cursor: string) => (await call<{ comments: Post[]; next?: string }>("GET", `${posts(event)}/${at(post)}/comments?limit=20&cursor=${at(cursor)}`)).body;

/** "nobody": who asks is not signed in. */
export async function standing(event: string): Promise<Standing | "nobody"> {
  try {
    return (await call<Standing>("GET", `${me}/events/${at(event)}/review`)).body;
  } catch (cause) {
    if (cause instanceof Refusal && cause.status === 401) return "nobody";
    throw cause;
  }
}

/** What somebody has said of an event, of the last 200 that they have written. */
export const mine = async (event: string) => (await call<{ posts: Own[] }>("GET", `${me}/posts?limit=200`)).body.posts.filter((each) => each.event === event);
/** The same key again writes nothing more. */
export const write = async (draft: Draft, key: string) => (await call<Own>("POST", `${me}/posts`, { body: draft, headers: { "Idempotency-Key": key } })).body;
export const change = async (id: string, words: Pick<Draft, "stars" | "name" | "text">) => (await call<Own>("PUT", `${me}/posts/${at(id)}`, { body: words })).body;
export const takeBack = (id: string) => call("DELETE", `${me}/posts/${at(id)}`);
export const report = (id: string) => call("PUT", `${me}/reports/${at(id)}`);

/** A post as staff read it. */
export interface Case extends Omit<Post, "gone"> {
  event: string;
  title: string;
  /** Of a comment: what it is on. */
  on?: string;
  state: "waiting" | "shown" | "refused";
  reason?: string;
  reported: number;
  version: number;
}

export type Which = "waiting" | "reported" | "shown" | "refused";

const desk = "/api/v1/organizer";
const seen = (of: { version: number }): Record<string, string> => (of.version === 0 ? { "If-None-Match": "*" } : { "If-Match": `"${of.version}"` });

export const queue = async (which: Which, cursor: string) => (await staff<{ posts: Case[]; next?: string }>("GET", `${desk}/posts?which=${which}&limit=20&cursor=${at(cursor)}`)).body;
export const decide = async (of: Case, state: "shown" | "refused", reason = "") =>
  (await staff<Case>("PUT", `${desk}/posts/${at(of.id)}/state`, { body: reason === "" ? { state } : { state, reason }, headers: seen(of) })).body;
export const answer = async (of: Case, text: string) => (await staff<Case>("PUT", `${desk}/posts/${at(of.id)}/answer`, { body: { text }, headers: seen(of) })).body;

export interface Moderation {
  before: boolean;
  version: number;
}
export const moderation = async () => (await staff<Moderation>("GET", `${desk}/moderation`)).body;
export const setModeration = async (of: Moderation, before: boolean) => (await staff<Moderation>("PUT", `${desk}/moderation`, { body: { before }, headers: seen(of) })).body;
