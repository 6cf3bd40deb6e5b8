// What the fan may want to know while waiting, beside the place: what the
// organizer says, how the chances are, what is sold at which price, and whether
// that has changed. Loaded after the page, which must be there at once.

import type { Change, Status, Stock, Terms, TermsSheet } from "../api/documents";
import { call } from "../api/http";
import { news as words } from "../messages/en";
import { money } from "../messages/format";
import type { Context } from "../waiting/bodies";
import { h, say } from "../waiting/dom";
import sheet from "./news.css?url";
import type { Room } from "../waiting/room";

/** Everybody hears of a change in the same moment; they ask within so many milliseconds of it. */
const spread = 2_000;

let board: Board | undefined;
let styled: boolean | undefined;

/** Shows what there is to tell whoever waits. */
export function tell(room: Room, context: Context): void {
  const { status } = context.known;
  if (!status || room.news.hidden) return;
  if (!styled) return dress(() => tell(room, context));
  board ??= new Board(room, context.saleId);
  board.show(status);
  const { sale } = context.known;
  if (sale?.lanes ?? sale?.bypass) void import("../lane/lane").then((m) => m.tell(room, context), () => {});
}

/** Nothing is shown before its sheet is there, which would move it, or was not to be had. */
function dress(then: () => void): void {
  if (styled === false) return; // it is on its way
  styled = false;
  const link = h("link", { rel: "stylesheet", href: sheet });
  link.onload = link.onerror = () => {
    styled = true;
    then();
  };
  document.head.append(link);
}

class Board {
  readonly #at: string;
  readonly #message = h("div", { "aria-live": "polite" });
  readonly #soldOut = h("div", { "aria-live": "polite" });
  readonly #terms = h("div", { "aria-live": "polite" });
  readonly #chance = h("p", { class: "lead" });
  readonly #tiers = h("ul", { class: "tiers" });
  readonly #rules = h("div", {});
  readonly #details = h("details", { class: "note", hidden: "" }, h("summary", {}, words.rules.heading), this.#rules);
  readonly #stay: () => HTMLElement;
  readonly #list: () => HTMLElement;
  #sheets = new Map<number, TermsSheet>();
  #stock: Stock | undefined;
  #shown = "";
  #asked = "";

  constructor(room: Room, sale: string) {
    this.#at = `/api/v1/sales/${encodeURIComponent(sale)}`;
    this.#stay = () => {
      const leave = h("button", { type: "button" }, words.soldOut.leave);
      leave.addEventListener("click", () => room.ask());
      return leave;
    };
    this.#list = () => h("a", { class: "button primary", href: `/sales/${encodeURIComponent(sale)}/returns` }, words.soldOut.list);
    room.news.replaceChildren(this.#message, this.#soldOut, this.#terms, h("section", { class: "stand card" }, h("h2", {}, words.heading), this.#chance, this.#tiers, this.#details));
  }

  show(status: Status): void {
    this.#ask(status);
    // What is shown depends on these only; the countdown of the page draws each second.
    const now = JSON.stringify([status.message, status.sale.message, status.odds, status.party?.size, status.sale.stock, status.terms, status.sale.terms, this.#sheets.size, !this.#stock]);
    if (now === this.#shown) return;
    this.#shown = now;
    this.#say(status);
    this.#showSoldOut(status);
    this.#showTerms(status);
    this.#showTiers(status);
  }

  #say({ message, sale }: Status): void {
    if (!message || message.number !== sale.message) return this.#message.replaceChildren();
    if (this.#message.firstElementChild?.getAttribute("data-number") === String(message.number)) return;
    const text = h("p", { class: "said-by", dir: "auto", lang: message.lang }, message.text);
    this.#message.replaceChildren(h("div", { class: "band", "data-number": String(message.number) }, h("h2", {}, words.message), text));
  }

  #showSoldOut({ odds, sale }: Status): void {
    const kind = odds?.chance === "returns" || odds?.chance === "sold-out" ? odds.chance : undefined;
    const before = this.#soldOut.firstElementChild;
    if (!kind) return this.#soldOut.replaceChildren();
    const text = words.soldOut[kind];
    const held = kind === "returns" ? words.soldOut.held(sale.stock?.held ?? 0) : "";
    if (before?.getAttribute("data-kind") === kind) return say(before.querySelector(".held")!, held);
    this.#soldOut.replaceChildren(
      h("div", { class: "band", "data-kind": kind }, h("h2", {}, text.heading), h("p", { class: "held" }, held), h("p", {}, text.lead), h("div", { class: "choices" }, ...(kind === "sold-out" ? [this.#list()] : []), this.#stay())),
    );
  }

  #showTerms({ terms, sale }: Status): void {
    const changed = !terms ? [] : [...this.#sheets.values()].filter((sheet) => sheet.version > terms && sheet.version <= (sale.terms ?? 0));
    changed.sort((a, b) => a.version - b.version);
    if (this.#terms.querySelectorAll(".change").length === changed.length) return;
    this.#terms.replaceChildren(
      ...(changed.length === 0 ? [] : [h("div", { class: "band" }, h("h2", {}, words.changed.heading), ...changed.map(change))]),
    );
  }

  #showTiers({ odds, party, sale }: Status): void {
    const chance = odds?.chance ?? "";
    const people = party?.size ?? 1;
    this.#chance.hidden = !odds;
    say(this.#chance, !odds ? "" : people > 1 ? words.party(chance, people) : words.chance[chance]);
    const sheet = this.#sheets.get(sale.terms ?? 0);
    const shows = sheet?.performances ?? [];
    const chances = new Map(this.#stock?.tiers.map((tier, i) => [tier.tier, odds?.tiers?.[i] ?? ""] as const));
    const together = new Map(this.#stock?.tiers.map((tier, i) => [tier.tier, odds?.together?.[i] ?? 0]));
    this.#tiers.replaceChildren(
      ...shows.flatMap((show) =>
        show.tiers.map((tier) => {
          const chance = chances.get(tier.id) ?? "";
          const seats = together.get(tier.id) ?? 0;
          const said = [chance && words.tier[chance], seats > 0 && words.together(seats)].filter(Boolean).join(", ");
          return h("li", { "data-chance": chance }, h("span", { dir: "auto" }, tier.name), h("span", {}, money(tier)), h("span", {}, said));
        }),
      ),
    );
    this.#details.hidden = !sheet;
    if (!sheet || this.#rules.childElementCount > 0) return;
    this.#rules.replaceChildren(h("ul", {}, ...words.rules.list(sheet).map((rule) => h("li", {}, rule))), h("p", {}, h("a", { href: `${this.#at}/terms` }, words.rules.signed)));
  }

  /** Fetches what a status names and is not known here: the sheets since this place joined, and the tiers' names. */
  #ask({ odds, terms, sale }: Status): void {
    const newest = sale.terms ?? 0;
    const wanted = [newest, ...Array.from({ length: 5 }, (_, i) => newest - i).filter((version) => version > (terms ?? newest))].filter(
      (version, i, all) => version > 0 && !this.#sheets.has(version) && all.indexOf(version) === i,
    );
    const tiers = odds?.tiers !== undefined && this.#stock?.tiers.length !== odds.tiers.length;
    const what = `${wanted} ${tiers}`;
    if (what === this.#asked || (wanted.length === 0 && !tiers)) return;
    this.#asked = what;
    const wait = this.#shown === "" ? 0 : Math.random() * spread;
    setTimeout(async () => {
      try {
        for (const version of wanted) {
          const { sheet } = (await call<Terms>("GET", `${this.#at}/terms?version=${version}`)).body;
          if (version === newest) this.#rules.replaceChildren();
          this.#sheets.set(version, sheet);
        }
        if (tiers) this.#stock = (await call<Stock>("GET", `${this.#at}/stock`)).body;
      } catch {
        setTimeout(() => (this.#asked = ""), 10_000); // the page draws each second: it is tried again
      }
    }, wait);
  }
}

function change(sheet: TermsSheet): HTMLElement {
  return h(
    "div",
    { class: "change" },
    h("p", { dir: "auto" }, words.changed.when(sheet.at, sheet.reason ?? "")),
    h("ul", {}, ...(sheet.changes ?? []).map((each) => h("li", { dir: "auto" }, said(each)))),
  );
}

/** 7500 EUR of a sheet as money, a time as a time. */
function said({ what, of, from, to }: Change): string {
  return words.changed.what(what, of ?? "", words.value(what, from), words.value(what, to));
}
