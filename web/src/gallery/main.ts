// For those who draw the waiting room: every state on its own page, from the
// golden documents of edge/wire. `npm run dev`, then /gallery.html. Not built.

import active from "../../../edge/wire/testdata/active.json";
import elsewhere from "../../../edge/wire/testdata/elsewhere.json";
import laned from "../../../edge/wire/testdata/laned.json";
import lobby from "../../../edge/wire/testdata/lobby.json";
import longer from "../../../edge/wire/testdata/longer.json";
import message from "../../../edge/wire/testdata/message.json";
import odds from "../../../edge/wire/testdata/odds.json";
import soldOut from "../../../edge/wire/testdata/sold-out.json";
import stock from "../../../edge/wire/testdata/stock.json";
import terms from "../../../edge/wire/testdata/terms.json";
import offered from "../../../edge/wire/testdata/offered.json";
import over from "../../../edge/wire/testdata/over.json";
import partyOdds from "../../../edge/wire/testdata/party-odds.json";
import party from "../../../edge/wire/testdata/party.json";
import paused from "../../../edge/wire/testdata/paused.json";
import reentry from "../../../edge/wire/testdata/reentry.json";
import sale from "../../../edge/wire/testdata/sale.json";
import saleLaned from "../../../edge/wire/testdata/sale-laned.json";
import net from "../../../edge/wire/testdata/sale-net.json";
import waiting from "../../../edge/wire/testdata/waiting.json";
import type { Sale, Status } from "../api/documents";
import { Refusal } from "../api/http";
import { LineClock } from "../line/clock";
import type { Context } from "../waiting/bodies";
import { h } from "../waiting/dom";
import { tell } from "../news/news";
import { Room } from "../waiting/room";
import type { Known } from "../waiting/scene";

const live: Known = { link: "live", left: false, offline: false, sale: sale as Sale };
const at = (status: unknown): Known => ({ ...live, status: status as Status });
const refused = (status: number, code: string): Known => ({ ...live, refusal: new Refusal(status, code, "", undefined) });

const states: Record<string, Known> = {
  joining: { ...live, link: "connecting" },
  lobby: at(lobby),
  drawing: at({ ...lobby, sale: { ...lobby.sale, phase: "drawing" } }),
  waiting: at(waiting),
  next: at({ ...waiting, position: 0, wait: { low: 0, high: 20 } }),
  longer: at(longer),
  ...Object.fromEntries((["limits", "returns", "parties", "lanes", "slower", "restored"] as const).map((why) => [`longer-${why}`, at({ ...longer, wait: { ...longer.wait, longer: why } })])),
  laned: { ...at(laned), sale: saleLaned as Sale },
  "laned-main": { ...at({ ...waiting, lane: "main" }), sale: saleLaned as Sale },
  paused: at(paused),
  settling: at({ ...waiting, position: undefined, wait: undefined, sale: { ...waiting.sale, trouble: "settling" } }),
  away: at({ ...waiting, wait: undefined, sale: { ...waiting.sale, trouble: "away" } }),
  comebacks: at({ ...waiting, sale: { ...waiting.sale, comebacks: 14 } }),
  back: at({ ...waiting, position: 0, back: true }),
  net: { ...at(waiting), sale: net as Sale },
  party: at(party),
  together: at({ ...party, position: 0, back: true }),
  passed: at({ ...over, state: "passed" }),
  return: at({ ...over, return_by: waiting.sale.now }),
  odds: at(odds),
  "party-odds": at(partyOdds),
  ...Object.fromEntries((["good", "slim", "returns"] as const).map((chance) => [`party-${chance}`, at({ ...partyOdds, odds: { chance, tiers: [chance, chance] }, party: { size: 2, you: 1 } })])),
  "odds-unknown": at({ ...odds, odds: {} }),
  message: at(message),
  terms: at({ ...odds, terms: 1 }),
  "sold-out": at(soldOut),
  returns: at({ ...soldOut, odds: { chance: "returns", tiers: ["returns", "sold-out"] }, sale: { ...soldOut.sale, stock: { ...soldOut.sale.stock, held: 7 } } }),
  lost: { ...at(waiting), link: "lost" },
  offered: at(offered),
  active: at(active),
  elsewhere: at(elsewhere),
  expired: at(over),
  left: { ...live, left: true },
  done: at({ ...over, state: "done" }),
  reentry: at(reentry),
  gone: refused(410, "place-gone"),
  ended: refused(410, "sale-ended"),
  unknown: refused(404, "sale-unknown"),
  limited: refused(429, "rate-limited"),
  offline: { ...live, offline: true },
};

// What the news asks for by itself, there being no edge here.
globalThis.fetch = async (address) => {
  const document = String(address).includes("/terms") ? terms : String(address).includes("/stock") ? stock : String(address).endsWith("/demo") ? saleLaned : {};
  return new Response(JSON.stringify(document), { headers: { "Content-Type": "application/json" } });
};

const page = document.getElementById("page")!;
const name = new URLSearchParams(location.search).get("state") ?? "";
const known = states[name];
if (known) {
  const clock = new LineClock();
  if (known.status) clock.hear(known.status.sale.now);
  const nothing = () => {};
  const context: Context = {
    known,
    clock,
    start: 2400,
    claiming: false,
    said: "",
    saleId: "demo",
    shop: "/sales/demo/shop",
    actions: { claim: nothing, rejoin: nothing, retry: nothing },
  };
  const room = new Room(page, nothing, nothing, nothing);
  const draw = () => {
    room.draw(context);
    tell(room, context);
  };
  draw();
  setInterval(draw, 1000);
} else {
  page.append(h("ul", {}, ...Object.keys(states).map((state) => h("li", {}, h("a", { href: `?state=${state}` }, state)))));
}
