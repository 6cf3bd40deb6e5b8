// One place, two devices: shows the code that moves the place away, and takes a
// place over with one. Loaded only by whoever asks for it.

import type { Handover, LetterAsked, Status } from "../api/documents";
import { call, nonce, Refusal } from "../api/http";
import { leave } from "../api/line";
import { handover as words } from "../messages/en";
import { button, insist, note, title, why } from "../waiting/asking";
import { h } from "../waiting/dom";

const placeAt = (sale: string) => `/api/v1/sales/${encodeURIComponent(sale)}/place`;

/** Shows a code that moves the place, where to be told of its turn, and where to type one; to a device that only watches, only that. */
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
    // It has the focus: in a field a phone would show its keyboard, above the code.
    const shown = h("div", { class: "code", "aria-live": "polite", tabindex: "-1", autofocus: "" });
    dialog.replaceChildren(title(words.heading), note(words.lead), shown, letter(sale), bring, close);
    void show(shown, sale);
  }
  dialog.showModal();
}

/** Asks where to write when it is nearly their turn. */
function letter(sale: string): HTMLElement {
  const email = h("input", { id: "email", type: "email", required: "", maxlength: "254", autocomplete: "email" });
  const told = h("p", { class: "note", role: "status" }, words.letter.note);
  const form = h("form", {}, h("label", { for: "email" }, words.letter.ask), email, told, h("div", { class: "choices" }, h("button", {}, words.letter.send)));
  form.style.marginBlock = "1.5rem"; // few see it: it is no rule that everybody loads
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void (async () => {
      try {
        const { minutes } = (await call<LetterAsked>("POST", `${placeAt(sale)}/letter`, { body: { email: email.value } })).body;
        form.replaceChildren(h("p", { role: "status" }, words.letter.comes(email.value, minutes)));
      } catch (cause) {
        told.className = "wrong";
        told.textContent = why(cause);
      }
    })();
  });
  return form;
}

async function show(shown: HTMLElement, sale: string): Promise<void> {
  shown.replaceChildren(note(words.wait));
  try {
    const { code, qr, expires_at } = (await call<Handover>("POST", `${placeAt(sale)}/handover`, { body: {} })).body;
    const src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
    shown.replaceChildren(h("p", { class: "big words" }, code), h("img", { src, alt: words.qr, width: "200", height: "200" }), note(words.until(expires_at)));
  } catch (cause) {
    const again = button(words.failed.again, "", () => {
      shown.focus(); // the button goes away
      void show(shown, sale);
    });
    shown.replaceChildren(h("p", { class: "wrong" }, why(cause)), h("div", { class: "act" }, again));
  }
}

/** Takes over the place of the code in the address. undefined: the fan would rather stand in line here. */
export function take(dialog: HTMLDialogElement, sale: string): Promise<Status | undefined> {
  const body = { code: decodeURIComponent(location.hash.slice("#handover=".length)), device: nonce() };
  history.replaceState(null, "", location.pathname); // a reload asks for nothing again
  let held = false;
  return insist(
    dialog,
    [words.taking.heading, words.taking.lead],
    async () => {
      if (held) await leave(sale).catch(() => {}); // the exchange tells whether it worked
      return (await call<Status>("POST", `${placeAt(sale)}/handover/exchange`, { body })).body;
    },
    (cause) => {
      held = cause instanceof Refusal && cause.code === "place-held";
      return held
        ? [words.held.heading, words.held.lead, words.held.keep, words.held.take]
        : [words.failed.heading, why(cause), words.failed.stay, words.failed.again];
    },
  );
}
