// The list of sales: the way into each line.

import { sales } from "../api/line";
import mark from "../look/mark.svg";
import { common, landing as words } from "../messages/en";
import { keptOrders, orderAddress } from "../order/keep";
import { h } from "../waiting/dom";

const list = h("ul");
const orders = h("section", { class: "orders" });
const note = h("p", { class: "note", role: "status" }, common.loading);
document.getElementById("page")!.append(
  h("header", { class: "top" }, h("a", { class: "brand", href: "/" }, h("img", { src: mark, alt: "", width: "28", height: "28" }), common.brand), h("nav", { class: "ways" }, h("a", { href: "/coupons" }, words.coupons), h("a", { href: "/account" }, words.account))),
  h("main", { class: "sales" }, h("h1", {}, words.heading), note, list, orders),
);

const kept = keptOrders();
if (kept.length > 0) {
  const links = kept.map((order) => h("li", {}, h("a", { href: orderAddress(order) }, words.order(order.at))));
  orders.append(h("h2", {}, words.orders), h("ul", {}, ...links));
}

try {
  const found = await sales();
  note.textContent = found.length > 0 ? words.lead : words.none;
  for (const { status, title, safety_net } of found) {
    const state = status.paused ? words.paused : safety_net && status.entrants > 0 ? words.busy(status.entrants) : words.phase[status.phase];
    const opens = status.phase === "lobby" || status.phase === "drawing" ? h("span", { class: "note" }, words.opens(status.opens_at)) : undefined;
    const sign = h("div", { class: "sign" }, h("h2", {}, title));
    const when = h("div", { class: "when" }, h("span", { class: "phase" }, state), opens);
    list.append(h("li", {}, h("a", { href: `/sales/${encodeURIComponent(status.id)}` }, sign, when)));
  }
} catch {
  note.textContent = common.offline;
}
