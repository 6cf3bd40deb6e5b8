// One place, two devices: shows the code that moves the place away, and takes a
// place over with one. Loaded only by whoever asks for it.

import type { Handover, Status } from "../api/documents";
import { call, nonce, Refusal } from "../api/http";
import { leave } from "../api/line";
import { common, handover as words } from "../messages/en";
import { h, say } from "../waiting/dom";

const placeAt = (sale: string) => `/api/v1/sales/${encodeURIComponent(sale)}/place`;
const title = (text: string) => h("h2", { id: "asked" }, text);
const note = (text: string) => h("p", { class: "note" }, text);

function button(text: string, kind: string, action: () => void): HTMLButtonElement {
  const element = h("button", { type: "button", class: kind }, text);
  element.addEventListener("click", action);
  return element;
}

/** Shows a code that moves the place, and where to type one; to a device that only watches, only that. */
export function open(dialog: HTMLDialogElement, sale: string, watching: boolean): void {
  const code = h("input", { id: "code", required: "", maxlength: "40", autocomplete: "off", autocapitalize: "characters", spellcheck: "false" });
  const bring = h("form", {}, h("label", { for: "code" }, words.enter), code, h("div", { class: "choices" }, h("button", {}, words.bring)));
  bring.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = `handover=${code.value}`;
    location.reload();
  });
  const close = h("div", { class: "choices" }, button(words.close, "", () => dialog.close()));
  if (watching) dialog.replaceChildren(title(words.watching), bring, close);
  else {
    const shown = h("div", { class: "code", "aria-live": "polite" }, note(words.wait));
    dialog.replaceChildren(title(words.heading), note(words.lead), shown, bring, close);
    void show(shown, sale);
  }
  dialog.showModal();
}

async function show(shown: HTMLElement, sale: string): Promise<void> {
  try {
    const { code, qr, expires_at } = (await call<Handover>("POST", `${placeAt(sale)}/handover`, { body: {} })).body;
    const src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
    shown.replaceChildren(h("p", { class: "big words" }, code), h("img", { src, alt: words.qr, width: "200", height: "200" }), note(words.until(expires_at)));
  } catch (cause) {
    shown.replaceChildren(h("p", { class: "wrong" }, why(cause)));
  }
}

const why = (cause: unknown) => (cause instanceof Refusal ? cause.message || common.trouble : common.offline);

/** Takes over the place of the code in the address. undefined: the fan would rather stand in line here. */
export async function take(dialog: HTMLDialogElement, sale: string): Promise<Status | undefined> {
  const body = { code: decodeURIComponent(location.hash.slice("#handover=".length)), device: nonce() };
  history.replaceState(null, "", location.pathname); // a reload asks for nothing again
  const heading = title(words.taking.heading);
  const lead = note(words.taking.lead);
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
        return (await call<Status>("POST", `${placeAt(sale)}/handover/exchange`, { body })).body;
      } catch (cause) {
        const held = cause instanceof Refusal && cause.code === "place-held";
        const goOn = held
          ? await ask(words.held.heading, words.held.lead, words.held.keep, words.held.take)
          : await ask(words.failed.heading, why(cause), words.failed.stay, words.failed.again);
        if (!goOn) return undefined;
        if (held) await leave(sale).catch(() => {}); // the next exchange tells whether it worked
      }
    }
  } finally {
    dialog.close();
  }
}
