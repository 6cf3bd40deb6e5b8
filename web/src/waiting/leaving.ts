// The question before a place is given up. Loaded by whoever asks for it.

import { leaving as words } from "../messages/en";
import { button, note, title } from "./asking";
import { h } from "./dom";

export function ask(dialog: HTMLDialogElement, lost: "offered" | "waiting" | "party", leave: () => void): void {
  const stay = button(words.stay, "", () => dialog.close());
  const go = button(words.go, "primary", () => {
    dialog.close();
    leave();
  });
  dialog.replaceChildren(title(words.heading), note(words[lost]), h("div", { class: "choices" }, stay, go));
  if (!dialog.open) dialog.showModal();
}
