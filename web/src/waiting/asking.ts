// What the dialogs of the waiting page are made of. Loaded only with one of them.

import type { Status } from "../api/documents";
import { Refusal } from "../api/http";
import { common } from "../messages/en";
import { h, say } from "./dom";

export const title = (text: string) => h("h2", { id: "asked" }, text);
export const note = (text: string) => h("p", { class: "note" }, text);

export function button(text: string, kind: string, action: () => void): HTMLButtonElement {
  const element = h("button", { type: "button", class: kind }, text);
  element.addEventListener("click", action);
  return element;
}

/** Says what went wrong. */
export const why = (cause: unknown) => (cause instanceof Refusal ? cause.message || common.trouble : common.offline);

/** A question: heading and text, then what declines and what agrees. */
export type Question = readonly [heading: string, lead: string, no: string, yes: string];

/**
 * Tries something until it works, in a dialog that says what goes on. Whatever refuses it becomes a question; undefined: the fan declined.
 */
export async function insist(
  dialog: HTMLDialogElement,
  [heading, lead]: readonly [string, string],
  attempt: () => Promise<Status>,
  asked: (cause: unknown) => Question,
): Promise<Status | undefined> {
  const [head, text, choices] = [title(heading), note(lead), h("div", { class: "choices" })];
  const agreed = (q: Question) =>
    new Promise<boolean>((done) => {
      say(head, q[0]);
      say(text, q[1]);
      choices.replaceChildren(button(q[2], "", () => done(false)), button(q[3], "primary", () => done(true)));
      dialog.oncancel = () => done(false);
    });
  dialog.replaceChildren(head, text, choices);
  dialog.showModal();
  try {
    for (;;) {
      try {
        return await attempt();
      } catch (cause) {
        if (!(await agreed(asked(cause)))) return undefined;
      }
    }
  } finally {
    dialog.close();
  }
}
