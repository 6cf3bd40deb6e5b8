// Lanes: which one the place is in and what it is given, the rules that lead past
// the line, and the form for a code. Loaded only in a sale that has them.

import type { Lane, LaneOffer } from "../api/documents";
import { call } from "../api/http";
import { sale as saleOf } from "../api/line";
import { lane as words } from "../messages/en";
import { button, note, title, why } from "../waiting/asking";
import type { Context } from "../waiting/bodies";
import { h, say } from "../waiting/dom";
import type { Room } from "../waiting/room";

/** Shares may change, and people come: the sale is asked anew after so many ms, and as many more at most. */
const asksAfter = 60_000;

let card: Card | undefined;

/** Shows the lane that the place is in. */
export function tell(room: Room, context: Context): void {
  card ??= new Card(room, context.saleId);
  card.show(context);
}

class Card {
  readonly #here = h("p", { class: "lead" });
  readonly #all = h("ul", {});
  readonly #enter = h("div", { class: "choices" });
  #shown = "";
  #asks = Date.now() + asksAfter * (1 + Math.random());
  #context: Context | undefined;

  constructor(room: Room, sale: string) {
    this.#enter.append(button(words.enter, "", () => ask(room.dialog, sale)));
    const all = h("details", { class: "note" }, h("summary", {}, words.all), this.#all);
    all.addEventListener("toggle", () => all.open && this.#ask());
    room.news.append(h("section", { class: "stand card lanes" }, h("h2", {}, words.heading), this.#here, this.#enter, all));
  }

  #ask(): void {
    this.#asks = Date.now() + asksAfter * (1 + Math.random());
    const context = this.#context;
    if (!context) return;
    void saleOf(context.saleId).then(
      (sale) => {
        context.known.sale = sale;
        this.show(context);
      },
      () => {}, // it is asked again
    );
  }

  show(context: Context): void {
    this.#context = context;
    const { status, sale } = context.known;
    if (!status || !sale) return;
    if (Date.now() > this.#asks && !document.hidden) this.#ask();
    const { lanes = [], bypass = [] } = sale;
    const now = JSON.stringify([status.lane, status.state, lanes, bypass]);
    if (now === this.#shown) return;
    this.#shown = now;
    const mine = lanes.find((lane) => lane.name === status.lane);
    this.#here.hidden = !mine;
    if (mine) say(this.#here, words.here(mine.title, mine.share));
    const waits = status.state === "collected" || status.state === "waiting";
    this.#enter.hidden = !waits || !lanes.some((lane) => lane !== mine && lane.entry?.includes("code"));
    this.#all.replaceChildren(
      ...lanes.map((lane: Lane) => h("li", { dir: "auto" }, words.each(lane.title, lane.share, lane.waiting))),
      ...bypass.map((rule) => h("li", { dir: "auto" }, words.bypass(rule.title, rule.share, rule.people))),
    );
  }
}

/** The place is another one now, though a frame may just have told that the old one was left. */
function anew(): void {
  location.hash = "lane";
  location.reload();
}

/** Takes a code, says where it leads, and moves the place if the fan agrees. */
function ask(dialog: HTMLDialogElement, sale: string): void {
  const at = `/api/v1/sales/${encodeURIComponent(sale)}/place/code`;
  const code = h("input", { id: "lane", required: "", maxlength: "80", autocomplete: "off", autocapitalize: "characters", spellcheck: "false" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const look = h("button", { class: "primary" }, words.look);
  const form = h("form", {}, h("label", { for: "lane" }, words.label), code, wrong, h("div", { class: "choices" }, button(words.close, "", () => dialog.close()), look));
  const trying = async (busy: HTMLButtonElement, does: () => Promise<void>) => {
    busy.disabled = true;
    say(wrong, "");
    await does().catch((cause: unknown) => say(wrong, why(cause)));
    busy.disabled = false;
  };
  const confirm = (offer: LaneOffer) => {
    const go = button(words.move, "primary", () => {
      void trying(go, async () => {
        await call("POST", at, { body: { code: code.value, confirm: true } });
        anew();
      });
    });
    dialog.replaceChildren(
      title(words.leads(offer.lane.title ?? offer.lane.name)),
      note(words.offer(offer.lane.share)),
      note(offer.lobby ? words.lobby(offer.ahead) : words.tail(offer.ahead, offer.now)),
      note(words.gives),
      wrong,
      h("div", { class: "choices" }, button(words.stay, "", () => dialog.close()), go),
    );
    go.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void trying(look, async () => {
      const { body, status } = await call<LaneOffer>("POST", at, { body: { code: code.value } });
      if (status === 201) anew(); // it had moved before, and the answer was lost
      else confirm(body);
    });
  });
  dialog.replaceChildren(title(words.enter), form);
  dialog.showModal();
}
