// What each scene shows. A body is built once when its scene comes and is then
// updated in place, so that numbers change without anything else moving.

import type { Status } from "../api/documents";
import type { LineClock } from "../line/clock";
import { common, waiting as words } from "../messages/en";
import { clock as span, count } from "../messages/format";
import { h, say } from "./dom";
import { rope } from "./rope";
import { type Known, progress, type Scene } from "./scene";

export interface Actions {
  claim: () => void;
  rejoin: () => void;
  retry: () => void;
}

export interface Context {
  known: Known;
  clock: LineClock;
  /** Where the place stood when this browser first saw it. */
  start: number;
  claiming: boolean;
  /** The last thing that went wrong with a button, in words. */
  said: string;
  saleId: string;
  /** Where the claim leads. */
  shop: string;
  actions: Actions;
}

export interface Body {
  nodes: Node[];
  update: (context: Context) => void;
}

const eyebrow = (text: string) => h("p", { class: "eyebrow" }, text);
const lead = (text: string) => h("p", { class: "lead" }, text);
const note = (text: string) => h("p", { class: "note" }, text);
const headline = (text: string) => h("h1", { class: "big words" }, text);
const drawNote = (saleId: string) => h("p", { class: "note" }, h("a", { href: `/sales/${encodeURIComponent(saleId)}/draw` }, words.draw));
const still = (...nodes: Node[]): Body => ({ nodes, update: () => {} });

function button(text: string, action: () => void, kind = "primary"): HTMLButtonElement {
  const element = h("button", { type: "button", class: kind }, text);
  element.addEventListener("click", action);
  return element;
}

function link(text: string, href: string): HTMLElement {
  return h("div", { class: "act" }, h("a", { class: "button primary", href }, text));
}

/** A number as large as it fits: a million people ahead are nine characters. */
function large(element: Element, text: string): void {
  say(element, text);
  element.classList.toggle("long", text.length > 6);
}

/** Why the line is paused, in the organizer's words or else ours. */
export const why = ({ reason, mode }: Status["sale"]) => reason ?? words.paused.noReason[mode ?? "pause"];

function pausedBand(): { element: HTMLElement; update: (status: Status | undefined) => void } {
  const reason = h("p", { class: "reason", dir: "auto" });
  const element = h("div", { class: "band", hidden: "" }, h("h2", {}, words.paused.heading), reason, h("p", {}, words.paused.keep));
  return {
    element,
    update: (status) => {
      const sale = status?.sale;
      element.hidden = !sale?.paused;
      if (!sale?.paused) return;
      reason.lang = sale.reason_lang ?? "";
      say(reason, sale.reason ? words.paused.reason(sale.reason) : why(sale));
    },
  };
}

/** What of ours keeps the line from moving. */
function troubleBand(): { element: HTMLElement; update: (status: Status | undefined) => void } {
  const what = h("p");
  const element = h("div", { class: "band", hidden: "" }, h("h2", {}, words.trouble.heading), what);
  return {
    element,
    update: (status) => {
      const trouble = status?.sale.trouble;
      element.hidden = !trouble;
      if (trouble) say(what, words.trouble[trouble]);
    },
  };
}

function lobby({ saleId }: Context): Body {
  const left = h("span");
  const entrants = h("p");
  const opensAt = h("p");
  const paused = pausedBand();
  return {
    nodes: [
      eyebrow(words.lobby.eyebrow),
      h("h1", { class: "big" }, h("span", { class: "under" }, words.lobby.headline), left),
      rope(false, false).element,
      h("div", { class: "facts" }, entrants, opensAt),
      paused.element,
      note(words.lobby.note),
      drawNote(saleId),
    ],
    update: ({ known: { status }, clock }) => {
      if (!status) return;
      const until = clock.until(status.sale.opens_at);
      large(left, until > 0 ? span(until) : words.lobby.opening);
      say(entrants, words.lobby.entrants(status.sale.entrants));
      say(opensAt, words.lobby.opensAt(status.sale.opens_at));
      paused.update(status);
    },
  };
}

function drawing({ saleId }: Context): Body {
  const entrants = h("p");
  return {
    nodes: [
      eyebrow(words.drawing.eyebrow),
      headline(words.drawing.headline),
      rope(false, false).element,
      h("div", { class: "facts" }, entrants),
      lead(words.drawing.lead),
      drawNote(saleId),
    ],
    update: ({ known: { status } }) => say(entrants, status ? words.drawing.entrants(status.sale.entrants) : ""),
  };
}

function waiting({ saleId }: Context): Body {
  const number = h("span");
  const under = h("span", { class: "under" });
  const wait = h("p", { class: "wait" });
  const entrants = h("p");
  const way = rope(false, true);
  const paused = pausedBand();
  const trouble = troubleBand();
  const advice = note("");
  const place = eyebrow("");
  const order = drawNote(saleId);
  return {
    nodes: [
      place,
      h("h1", { class: "big" }, number, under),
      way.element,
      h("div", { class: "facts" }, wait, entrants),
      trouble.element,
      paused.element,
      advice,
      order,
    ],
    update: ({ known: { status, sale }, clock, start }) => {
      if (!status) return;
      const position = status.position ?? 0;
      const opens = clock.until(status.sale.opens_at);
      const known = status.position !== undefined;
      large(number, known ? count(position) : "…");
      const stands = status.reentry ? words.waiting.reentry : status.party?.too_large ? words.waiting.tooLarge : (status.party?.size ?? 1) > 1 ? words.waiting.together : words.waiting.back;
      say(under, status.back ? stands : !known ? words.waiting.kept : position === 0 ? words.waiting.next : words.waiting.headline(position));
      if (known) way.walk(progress(start, position));
      say(wait, waitText(status, opens));
      const first = position < 1000 && !status.back ? (status.sale.comebacks ?? 0) : 0;
      say(entrants, words.waiting.entrants(status.sale.entrants) + (first > 0 ? words.waiting.comebacks(first) : ""));
      trouble.update(status);
      say(advice, words.waiting.note(sale?.claim_window));
      paused.update(status);
      const net = sale?.safety_net;
      say(place, net && !status.sale.paused ? words.net.eyebrow : words.waiting.eyebrow);
      if (net) say(order, words.net.order);
    },
  };
}

function waitText(status: Status, opens: number): string {
  if (status.sale.paused || status.sale.trouble) return words.paused.wait;
  if (opens > 0) return words.waiting.opensIn(opens);
  const { wait } = status;
  return wait ? words.waiting.wait(wait.low, wait.high) + (wait.longer ? words.waiting.longer[wait.longer] : "") : words.waiting.noWait;
}

function offered(context: Context): Body {
  const left = h("span");
  const bar = h("i");
  const claim = button(words.offered.claim, context.actions.claim);
  const said = h("p", { class: "said wrong", role: "alert" });
  const stopped = pausedBand();
  return {
    nodes: [
      eyebrow(words.offered.eyebrow),
      headline(words.offered.headline),
      rope(true, false).element,
      h("p", { class: "big" }, left, h("span", { class: "under" }, words.offered.left)),
      h("div", { class: "remaining" }, bar),
      h("div", { class: "act" }, claim),
      said,
      stopped.element,
      note(words.offered.lead),
    ],
    update: ({ known: { status, sale }, clock, claiming, said: trouble }) => {
      if (!status?.offer) return;
      const ms = clock.until(status.offer.claim_by);
      say(left, span(ms));
      bar.style.transform = `scaleX(${Math.min(1, Math.max(0, ms / ((sale?.claim_window ?? 60) * 1000)))})`;
      claim.disabled = claiming;
      say(claim, claiming ? words.offered.claiming : words.offered.claim);
      say(said, trouble);
      stopped.update(status.sale.mode === "stop" ? status : undefined); // in a pause a turn may be taken
    },
  };
}

function active(context: Context): Body {
  const until = lead("");
  return {
    nodes: [
      eyebrow(words.active.eyebrow),
      headline(words.active.headline),
      rope(true, false).element,
      until,
      link(words.active.shop, context.shop),
    ],
    update: ({ known: { status } }) => say(until, status?.session ? words.active.lead(status.session.ends_at) : ""),
  };
}

/** The place was moved to another device: it can be watched. */
function elsewhere(): Body {
  const now = lead("");
  const text = words.elsewhere;
  return {
    nodes: [eyebrow(words.waiting.eyebrow), headline(text.headline), rope(false, false).element, now, note(text.note)],
    update: ({ known: { status } }) => {
      const { state, position } = status ?? {};
      if (state === "offered" || state === "active") say(now, text[state]);
      else say(now, position ? `${count(position)} ${words.waiting.headline(position)}` : words.waiting.kept);
    },
  };
}

/** What is said below a headline of the end comes a moment later; without it one still knows, and can go on. */
function later(pick: (words: typeof import("../messages/en/over").over) => string): HTMLElement {
  const text = h("p", { class: "lead later" });
  void import("../messages/en/over").then((m) => say(text, pick(m.over)), () => {});
  return text;
}

/** The place is over; what happened, and what can be done. */
function over(kind: "expired" | "left" | "done" | "reentry" | "gone", context: Context): Body {
  const text: { eyebrow: string; headline: string; rejoin?: string } = words[kind];
  const { status, sale } = context.known;
  const ended = status?.sale.phase === "ended" || sale?.status.phase === "ended";
  const by = kind === "expired" ? status?.return_by : undefined;
  const again = button(by ? words.expired.return : (text.rejoin ?? words.rejoin), context.actions.rejoin);
  const said = h("p", { class: "said wrong", role: "alert" });
  const nodes: Node[] = [eyebrow(text.eyebrow), headline(text.headline), later((all) => all[kind].lead)];
  if (ended) nodes.push(later((all) => all.ended.lead), link(words.ended.others, "/"));
  else {
    if (kind !== "gone" && kind !== "reentry") nodes.push(later((all) => (by ? all.expired.front(by) : all[kind].again)));
    nodes.push(h("div", { class: "act" }, again), said);
  }
  return { nodes, update: (now) => say(said, now.said) };
}

function failed(context: Context): Body {
  const why = lead("");
  return {
    nodes: [
      eyebrow(words.failed.eyebrow),
      headline(words.failed.headline),
      why,
      h("div", { class: "act" }, button(common.retry, context.actions.retry)),
    ],
    update: ({ known }) => {
      const limited = known.refusal?.status === 429;
      say(why, known.offline ? common.offline : limited ? common.tooOften : known.refusal?.message || common.trouble);
    },
  };
}

export function bodyOf(scene: Scene, context: Context): Body {
  switch (scene) {
    case "joining":
      return still(eyebrow(words.joining.eyebrow), headline(common.loading), rope(false, false).element, lead(words.joining.lead));
    case "lobby":
      return lobby(context);
    case "drawing":
      return drawing(context);
    case "waiting":
      return waiting(context);
    case "offered":
      return offered(context);
    case "active":
      return active(context);
    case "elsewhere":
      return elsewhere();
    case "failed":
      return failed(context);
    case "passed":
      return still(eyebrow(words.passed.eyebrow), headline(words.passed.headline), rope(false, false).element, lead(words.passed.lead));
    case "expired":
    case "left":
    case "done":
    case "gone":
      return over(context.known.status?.reentry && (scene === "done" || scene === "expired") ? "reentry" : scene, context);
    case "ended":
    case "unknown":
      return still(eyebrow(words[scene].eyebrow), headline(words[scene].headline), later((all) => all[scene].lead), link(words.ended.others, "/"));
  }
}
