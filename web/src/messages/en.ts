// The message catalogue in English: every word that a person reads on a page.
// A message is a string or a function of typed values; a page that asks for a
// key that is not there does not compile. One file per page, so that a page
// loads its own words only. Another language is another set of these files
// with the same types.

export { account } from "./en/account.ts";
export { common } from "./en/common.ts";
export { counter } from "./en/counter.ts";
export { coupons } from "./en/coupons.ts";
export { desk } from "./en/desk.ts";
export { desks } from "./en/desks.ts";
export { door } from "./en/door.ts";
export { draw } from "./en/draw.ts";
export { elsewhere } from "./en/elsewhere.ts";
export { handover } from "./en/handover.ts";
export { home } from "./en/home.ts";
export { lane } from "./en/lane.ts";
export { leaving } from "./en/leaving.ts";
export { ledger } from "./en/ledger.ts";
export { money } from "./en/money.ts";
export { letters } from "./en/letters.ts";
export { news } from "./en/news.ts";
export { ops } from "./en/ops.ts";
export { offers } from "./en/offers.ts";
export { order } from "./en/order.ts";
export { over } from "./en/over.ts";
export { party } from "./en/party.ts";
export { receipt } from "./en/receipt.ts";
export { reminder } from "./en/reminder.ts";
export { returns } from "./en/returns.ts";
export { reviews } from "./en/reviews.ts";
export { sales } from "./en/sales.ts";
export { setup } from "./en/setup.ts";
export { shop } from "./en/shop.ts";
export { staff } from "./en/staff.ts";
export { team } from "./en/team.ts";
export { ticket } from "./en/ticket.ts";
export { transfer } from "./en/transfer.ts";
export { venues } from "./en/venues.ts";
export { visitor } from "./en/visitor.ts";
export { waiting } from "./en/waiting.ts";
