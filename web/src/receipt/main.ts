// The page where a fan reads, during a sale and after it, what happened to their place.

import type { DrawProof, LedgerEntry, PlaceReceipt } from "../api/documents";
import { Refusal } from "../api/http";
import { drawProof, ledger, placeReceipt, sale as saleOf } from "../api/line";
import mark from "../look/mark.svg";
import { common, receipt as words } from "../messages/en";
import { moment } from "../messages/format";
import { h, say } from "../waiting/dom";
import { type Moment, story } from "./story";

const saleId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const at = `/sales/${encodeURIComponent(saleId)}`;
const most = 20_000; // entries that an edge has, and a page reads

const title = h("p", { class: "note", dir: "auto" }, "\u00a0");
const outcome = h("p", { class: "outcome", role: "status" }, common.loading);
const facts = h("ul");
const events = h("ol");
const partly = h("p", { class: "note" });
const print = h("button", { type: "button" }, words.print);
print.addEventListener("click", () => globalThis.print());

document.getElementById("page")!.append(
  h("header", { class: "top" }, h("a", { class: "brand", href: "/" }, h("img", { src: mark, alt: "", width: "28", height: "28" }), common.brand)),
  h(
    "main",
    { class: "receipt" },
    h("h1", {}, words.heading),
    title,
    outcome,
    h("p", { class: "note" }, words.lead),
    h("h2", {}, words.facts),
    facts,
    h("h2", {}, words.when),
    partly,
    events,
    h("p", {}, print),
    h("p", {}, h("a", { href: `${at}/draw` }, words.proof), " · ", h("a", { href: `${at}/ledger` }, words.ledger), " · ", h("a", { href: at }, words.line)),
  ),
);

/** The whole ledger, as far as it is served. */
async function wholeLedger(): Promise<{ entries: LedgerEntry[]; first: number }> {
  const entries: LedgerEntry[] = [];
  for (let after = 0, first = 1; ; ) {
    const page = await ledger(saleId, after, 1000);
    if (entries.length === 0) first = page.first ?? page.entries[0]?.seq ?? 1;
    entries.push(...page.entries);
    if (page.next === undefined || page.entries.length === 0 || entries.length >= most) return { entries, first };
    after = page.entries.at(-1)!.seq;
  }
}

/** What there is not, is nothing: of who did not take part in a draw there is no proof. */
const unless = <T>(asked: Promise<T>, ...codes: string[]): Promise<T | undefined> =>
  asked.catch((cause) => {
    if (cause instanceof Refusal && codes.includes(cause.code)) return undefined;
    throw cause;
  });

function ended(place: PlaceReceipt, over: boolean): string {
  if (over && (place.state === "collected" || place.state === "waiting")) return words.unsold;
  const bought = place.claimed && place.state !== "active" ? ` ${place.bought ? words.bought : words.notBought}` : "";
  return words.outcome[place.state] + bought;
}

function factsOf(place: PlaceReceipt, proof: DrawProof | undefined): string[] {
  return [
    place.lobby ? words.lobby : words.late,
    proof ? words.drawn(proof.rank, proof.count) : place.rank !== undefined ? words.rank(place.rank) : "",
    place.lane ? words.lane(place.lane) : "",
    place.members > 1 ? words.party(place.members) : "",
    place.moved ? words.moved : "",
    place.beside ? words.mine.beside : "",
    place.back ? words.back : "",
    place.reentry ? words.reentry[place.reentry] : "",
  ].filter(Boolean);
}

function item(each: Moment): HTMLElement {
  const what = each.what === "turn" ? words.mine.turn(each.data.offer as number) : each.what === "missed" ? words.mine.missed : each.what === "joined" ? words.mine.joined : words.sale(each.what, each.data);
  return h(
    "li",
    { "data-of": each.of, "data-what": each.what },
    h("time", { class: "note", datetime: each.at }, each.until ? words.between(each.at, each.until) : moment(each.at)),
    h("span", { dir: "auto" }, what),
  );
}

async function look(): Promise<void> {
  try {
    const [shown, place, proof, { entries, first }] = await Promise.all([
      saleOf(saleId),
      unless(placeReceipt(saleId), "place-forgotten"),
      unless(drawProof(saleId), "not-drawn", "not-in-draw", "draw-lost", "draw-busy"),
      wholeLedger(),
    ]);
    title.textContent = shown.title;
    const over = entries.some((entry) => entry.kind === "ended");
    say(outcome, place ? ended(place, over) : words.forgotten);
    outcome.dataset.state = place?.state ?? "forgotten";
    const known = place ? factsOf(place, proof) : proof ? [words.drawn(proof.rank, proof.count)] : [];
    facts.replaceChildren(...known.map((text) => h("li", {}, text)), ...(place ? [h("li", {}, `${words.place} `, h("code", { translate: "no" }, place.place))] : []));
    say(partly, first > 1 ? words.partly : "");
    events.replaceChildren(...story(place, entries).map(item));
  } catch (cause) {
    const none = cause instanceof Refusal && cause.status === 401;
    say(outcome, none ? words.none : cause instanceof Refusal ? cause.message || common.trouble : common.offline);
    if (cause instanceof Refusal && cause.status < 500 && cause.status !== 429) return;
    setTimeout(() => void look(), 5000 * (1 + Math.random()));
  }
}

void look();
