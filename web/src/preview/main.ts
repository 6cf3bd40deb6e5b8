// The waiting room as a fan will see it: the room's own code over documents as an edge
// sends them, dressed with what the server wrote. It shows what the desk tells it to and
// asks nobody for anything; so it may stand in a frame, of our own pages alone.

import lobby from "../../../edge/wire/testdata/lobby.json";
import offered from "../../../edge/wire/testdata/offered.json";
import over from "../../../edge/wire/testdata/over.json";
import sale from "../../../edge/wire/testdata/sale.json";
import waiting from "../../../edge/wire/testdata/waiting.json";
import type { Sale, Status } from "../api/documents";
import { Refusal } from "../api/http";
import { LineClock } from "../line/clock";
import type { Context } from "../waiting/bodies";
import { Room } from "../waiting/room";
import type { Known } from "../waiting/scene";
import type { Shown, State } from "./shown";

const at = (status: unknown): Partial<Known> => ({ status: status as Status });
const states: Record<State, Partial<Known>> = {
  lobby: at(lobby),
  drawing: at({ ...lobby, sale: { ...lobby.sale, phase: "drawing" } }),
  waiting: at(waiting),
  offered: at(offered),
  expired: at(over),
  ended: { refusal: new Refusal(410, "sale-ended", "", undefined) },
};

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);
const nothing = () => {};
let timer: ReturnType<typeof setInterval> | undefined;

addEventListener("message", (event: MessageEvent<Shown>) => {
  if (event.origin !== location.origin || event.source !== parent || event.data.page === undefined) return; // not of the desk: tools send messages, too
  const { page, state, dark } = event.data;
  sheet.replaceSync(page.style);
  document.getElementById("head")!.innerHTML = page.head; // the server's own, as it writes it into the page
  document.getElementById("foot")!.innerHTML = page.foot;
  for (const each of [...document.styleSheets, sheet]) scheme(each.cssRules, dark);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  show(page.title, state);
});

/** Rules of the dark scheme hold if it is chosen, whatever the window prefers. */
function scheme(rules: CSSRuleList, dark: boolean): void {
  for (const rule of rules) {
    if (rule instanceof CSSMediaRule && (known.has(rule) || /prefers-color-scheme: *dark/.test(rule.media.mediaText))) {
      known.add(rule);
      rule.media.mediaText = dark ? "all" : "not all";
    } else if (rule instanceof CSSGroupingRule) scheme(rule.cssRules, dark);
  }
}
const known = new WeakSet<CSSMediaRule>();

function show(title: string, state: State): void {
  clearInterval(timer);
  const page = document.getElementById("page")!;
  page.replaceChildren();
  const seen: Known = { link: "live", left: false, offline: false, sale: { ...(sale as Sale), title }, ...states[state] };
  const clock = new LineClock();
  if (seen.status) clock.hear(seen.status.sale.now);
  const context: Context = {
    known: seen, clock, start: 2400, claiming: false, said: "", saleId: "preview", shop: "#",
    actions: { claim: nothing, rejoin: nothing, retry: nothing },
  };
  const room = new Room(page, nothing, nothing, nothing);
  room.draw(context);
  document.documentElement.dataset.shown = state;
  timer = setInterval(() => room.draw(context), 1000);
}

// It is looked at, not used: nothing in it leads anywhere.
addEventListener("click", (event) => event.preventDefault(), true);
