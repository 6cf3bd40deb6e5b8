// Friends who share one place: shows the link that invites, and follows one.
// Loaded only by whoever asks for it.

import type { Invite, Status } from "../api/documents";
import { call, nonce, Refusal } from "../api/http";
import { common, party as words } from "../messages/en";
import { h, say } from "../waiting/dom";

const partyAt = (sale: string) => `/api/v1/sales/${encodeURIComponent(sale)}/place/party`;
const title = (text: string) => h("h2", { id: "asked" }, text);
const note = (text: string) => h("p", { class: "note" }, text);

function button(text: string, kind: string, action: () => void): HTMLButtonElement {
  const element = h("button", { type: "button", class: kind }, text);
  element.addEventListener("click", action);
  return element;
}

const why = (cause: unknown) => (cause instanceof Refusal ? cause.message || common.trouble : common.offline);

/** Shows the link by which friends join. */
export function open(dialog: HTMLDialogElement, sale: string): void {
  const shown = h("div", { "aria-live": "polite" }, note(words.wait));
  dialog.replaceChildren(title(words.heading), shown, h("div", { class: "choices" }, button(words.close, "", () => dialog.close())));
  dialog.showModal();
  void show(shown, sale);
}

async function show(shown: HTMLElement, sale: string): Promise<void> {
  try {
    const { url, size, max } = (await call<Invite>("POST", partyAt(sale), { body: {} })).body;
    const link = h("input", { id: "link", readonly: "", value: url });
    link.addEventListener("focus", () => link.select());
    const copy = button(words.copy, "primary", () => {
      link.select();
      // Without HTTPS there is no clipboard: the link is selected at least.
      void navigator.clipboard?.writeText(url).then(() => say(copy, words.copied));
    });
    shown.replaceChildren(note(words.lead(max)), h("label", { for: "link" }, words.link), link, h("div", { class: "choices" }, copy), note(words.now(size)));
  } catch (cause) {
    shown.replaceChildren(h("p", { class: "wrong" }, why(cause)));
  }
}

/** Joins the friends whose code is in the address. undefined: the fan would rather stand in line alone. */
export async function take(dialog: HTMLDialogElement, sale: string): Promise<Status | undefined> {
  const body = { code: location.hash.slice("#party=".length), device: nonce(), give_up: false };
  history.replaceState(null, "", location.pathname); // a reload asks for nothing again
  const heading = title(words.joining.heading);
  const lead = note(words.joining.lead);
  const choices = h("div", { class: "choices" });
  const ask = (head: string, text: string, other: string, yes: string) =>
    new Promise<boolean>((done) => {
      say(heading, head);
      say(lead, text);
      choices.replaceChildren(button(other, "", () => done(false)), button(yes, "primary", () => done(true)));
      dialog.oncancel = () => done(false);
    });
  dialog.replaceChildren(heading, lead, choices);
  dialog.showModal();
  try {
    for (;;) {
      try {
        return (await call<Status>("POST", `${partyAt(sale)}/join`, { body })).body;
      } catch (cause) {
        body.give_up = cause instanceof Refusal && cause.code === "party-own-place";
        const goOn = body.give_up
          ? await ask(words.own.heading, words.own.lead, words.own.keep, words.own.take)
          : await ask(words.failed.heading, why(cause), words.failed.stay, words.failed.again);
        if (!goOn) return undefined;
      }
    }
  } finally {
    dialog.close();
  }
}
