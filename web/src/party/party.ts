// Friends who share one place: shows the link that invites, and follows one.
// Loaded only by whoever asks for it.

import type { Invite, Status } from "../api/documents";
import { call, nonce, Refusal } from "../api/http";
import { party as words } from "../messages/en";
import { button, insist, note, title, why } from "../waiting/asking";
import { h, say } from "../waiting/dom";

const partyAt = (sale: string) => `/api/v1/sales/${encodeURIComponent(sale)}/place/party`;

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
export function take(dialog: HTMLDialogElement, sale: string): Promise<Status | undefined> {
  const body = { code: location.hash.slice("#party=".length), device: nonce(), give_up: false };
  history.replaceState(null, "", location.pathname); // a reload asks for nothing again
  return insist(
    dialog,
    [words.joining.heading, words.joining.lead],
    async () => (await call<Status>("POST", `${partyAt(sale)}/join`, { body })).body,
    (cause) => {
      body.give_up = cause instanceof Refusal && cause.code === "party-own-place";
      return body.give_up
        ? [words.own.heading, words.own.lead, words.own.keep, words.own.take]
        : [words.failed.heading, why(cause), words.failed.stay, words.failed.again];
    },
  );
}
