// The room around the scenes: sign, connection, the way to leave, the tab's
// title and icon, and what a screen reader is told.

import mark from "../look/mark.svg";
import turn from "../look/turn.svg";
import { common, waiting as words } from "../messages/en";
import type { Status } from "../api/documents";
import { type Body, bodyOf, type Context, why } from "./bodies";
import { h, say } from "./dom";
import { type Scene, sceneOf } from "./scene";

/** A position is announced this often at most; scenes and pauses at once. */
const announceEvery = 30_000;
const leavable: Scene[] = ["lobby", "drawing", "waiting", "offered", "elsewhere"];

/** What a screen reader is told of a pause; nothing of a line that moves. */
const pauseOf = (status?: Status) => (status?.sale.paused ? `${words.paused.heading}. ${why(status.sale)}` : "");

export class Room {
  #scene: Scene | undefined;
  #body: Body | undefined;
  #pause = "";
  #announcedAt = 0;
  #announcedPosition: number | undefined;
  readonly #onLeave: () => void;

  readonly #link = h("p", { class: "link", role: "status", hidden: "" });
  readonly #title = h("p", { dir: "auto" }, "\u00a0");
  readonly #sign = h("div", { class: "sign" }, this.#title);
  readonly #stand = h("section", { class: "stand card" });
  readonly #lost = h("div", { class: "band", hidden: "" }, h("p", {}, words.lostNote));
  readonly #foot = h("div", { class: "foot" });
  readonly #polite = h("p", { class: "unseen", "aria-live": "polite" });
  readonly #urgent = h("p", { class: "unseen", role: "alert" });
  readonly news = h("div", { class: "news" });
  readonly dialog = h("dialog", { "aria-labelledby": "asked" });
  readonly #leave = h("button", { type: "button", class: "quiet" }, words.leave);
  readonly #move = h("button", { type: "button", class: "quiet" });
  readonly #party = h("button", { type: "button", class: "quiet" });
  #size = 1;

  constructor(page: HTMLElement, onLeave: () => void, onMove: () => void, onParty: () => void) {
    this.#onLeave = onLeave;
    const home = h("a", { class: "brand", href: "/" }, h("img", { src: mark, alt: "", width: "28", height: "28" }), common.brand);
    this.#leave.addEventListener("click", () => this.ask());
    this.#move.addEventListener("click", onMove);
    this.#party.addEventListener("click", onParty);
    this.#foot.append(this.#move, this.#party, this.#leave);
    page.append(
      h("header", { class: "top" }, home, this.#link),
      h("main", { class: "room", hidden: "" }, this.#sign, this.#stand, this.#lost, this.#foot, this.news, this.#polite, this.#urgent),
      this.dialog,
    );
  }

  draw(context: Context): void {
    const scene = sceneOf(context.known);
    const { status, sale, link } = context.known;
    this.#stand.parentElement!.hidden = false;
    if (scene !== this.#scene || !this.#body) this.#enter(scene, context);
    this.#body?.update(context);
    say(this.#title, sale?.title ?? "\u00a0");
    this.#link.hidden = !leavable.includes(scene);
    this.#link.dataset.link = link;
    say(this.#link, words.link[link]);
    this.#lost.hidden = link !== "lost" || !leavable.includes(scene);
    // What is below the stand comes once all of its buttons are known. What is read later is the last: under it nothing can move.
    this.news.hidden = this.#foot.hidden = sale === undefined || !leavable.includes(scene);
    this.#leave.hidden = scene === "elsewhere";
    this.#size = status?.party?.size ?? 1;
    this.#move.hidden = scene === "offered" || this.#size > 1; // a shared place stays on its devices
    this.#party.hidden = scene === "offered" || this.#leave.hidden || (sale?.party_max ?? 0) < 2;
    say(this.#party, this.#size > 1 ? words.party(this.#size) : words.invite);
    say(this.#move, this.#leave.hidden ? words.elsewhere.back : words.move);
    document.title = this.#tab(scene, context);
    this.#announce(scene, context);
    this.#pause = pauseOf(status);
  }

  #enter(scene: Scene, context: Context): void {
    const first = this.#scene === undefined;
    this.#scene = scene;
    this.#body = bodyOf(scene, context);
    this.#body.update(context);
    this.#stand.dataset.scene = scene;
    this.#stand.replaceChildren(...this.#body.nodes);
    this.#sign.classList.toggle("lit", scene === "offered");
    document.querySelector<HTMLLinkElement>('link[rel="icon"]')!.href = scene === "offered" ? turn : mark;
    if (this.dialog.open && !leavable.includes(scene)) this.dialog.close();
    if (scene === "offered") {
      if (this.dialog.open) this.dialog.close();
      this.#stand.querySelector("button")?.focus();
    }
    if (!first) say(scene === "offered" ? this.#urgent : this.#polite, this.#stand.querySelector("h1")?.textContent ?? "");
  }

  #announce(scene: Scene, { known: { status } }: Context): void {
    if (scene !== "waiting" || !status) return;
    const pause = pauseOf(status);
    if (pause !== this.#pause) {
      say(this.#polite, pause || words.announce.moved);
      return;
    }
    const now = Date.now();
    if (status.position === this.#announcedPosition || now - this.#announcedAt < announceEvery) return;
    this.#announcedAt = now;
    this.#announcedPosition = status.position;
    say(this.#polite, words.announce.ahead(status.position ?? 0));
  }

  #tab(scene: Scene, { known: { status, sale }, clock }: Context): string {
    const title = sale?.title ?? common.brand;
    switch (scene) {
      case "lobby":
        return status ? words.tab.lobby(clock.until(status.sale.opens_at), title) : title;
      case "waiting":
        return status?.sale.paused ? words.tab.paused(title) : words.tab.ahead(status?.position ?? 0, title);
      case "offered": {
        const ms = status?.offer ? clock.until(status.offer.claim_by) : 0;
        // Changes every second: a tab in the background catches the eye.
        return Math.ceil(ms / 1000) % 2 === 0 ? words.tab.turn : words.tab.turnLeft(ms);
      }
      case "joining":
        return title;
      default:
        return `${words[scene].headline} · ${title}`;
    }
  }

  ask(): void {
    const lost = this.#size > 1 ? "party" : this.#scene === "offered" ? "offered" : "waiting";
    void import("./leaving").then((m) => m.ask(this.dialog, lost, this.#onLeave), () => {}); // nor could one leave then
  }
}
