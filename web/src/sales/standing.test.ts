import { expect, test } from "vitest";
import type { PlayedShow } from "../api/documents";
import type { Settled } from "../api/sales";
import type { KeptEvent } from "../api/setup";
import { sales as words } from "../messages/en";
import { linesOf, next, over, stood, type Standing } from "./standing";

const now = Date.parse("2027-03-01T12:00:00Z");
const show = (id: string, state: PlayedShow["state"], day: string) => ({ id, state, starts_at: `2027-${day}T20:00:00Z` }) as PlayedShow;
const event = { id: "e", version: 4, state: "published" } as KeptEvent;
const standing: Standing = { event, shows: [show("past", "scheduled", "02-01"), show("one", "scheduled", "04-01"), show("two", "canceled", "04-02"), show("three", "postponed", "04-03")] };

test("what may come next is what the booking core takes", () => {
  expect(next("event", "draft", "scheduled")).toEqual([]);
  expect(next("event", "published", "canceled")).toEqual(["postponed", "canceled"]);
  expect(next("event", "postponed", "postponed")).toEqual(["on", "canceled"]);
  expect(next("event", "canceled", "canceled")).toEqual([]);
  expect(next("performance", "published", "scheduled")).toEqual(["postponed", "canceled"]);
  expect(next("performance", "published", "postponed")).toEqual(["on", "canceled"]);
  expect(next("performance", "published", "canceled")).toEqual([]);
  expect(next("performance", "postponed", "postponed")).toEqual(["canceled"]);
  expect(next("performance", "draft", "scheduled")).toEqual([]);
});

test("an event takes what is not over and not canceled with it, a performance itself alone", () => {
  const states = (after: Standing) => after.shows.map((each) => each.state);
  const after = stood(standing, { ...event, version: 5, state: "postponed" }, "event", "one", "postponed", now);
  expect(states(after)).toEqual(["scheduled", "postponed", "canceled", "postponed"]);
  expect(after.event.version).toBe(5);
  expect(states(stood(standing, event, "event", "one", "on", now))).toEqual(["scheduled", "scheduled", "canceled", "scheduled"]);
  expect(states(stood(standing, event, "performance", "one", "canceled", now))).toEqual(["scheduled", "canceled", "canceled", "postponed"]);
});

test("refunds of all are over when none is to be asked for and none is on its way", () => {
  const refund = { who: "", reason: "", asked_at: "", left: 0, canceled: 3, refunding: 0, refunded: 2, failed: 1, refused: [{ order: "o", code: "sold-at-counter", at: "" }] };
  expect(over(refund)).toBe(true);
  expect(over({ ...refund, left: 1 })).toBe(false);
  expect(over({ ...refund, refunding: 1 })).toBe(false);
});

test("a settlement has its main lines, and others where there is something in them", () => {
  const nothing: Settled = { currency: "EUR", orders: 0, taken: 0, cash: 0, terminal: 0, exchanged: 0, refunded: 0, to_refund: 0, disputed: 0, dispute_fees: 0, fee: 0, tax: 0, owed: 0, net: 0 };
  const main = ["taken", "refunded", "fee", "tax", "owed", "net"];
  expect(linesOf([undefined, nothing])).toEqual(main);
  expect(linesOf([nothing, { ...nothing, cash: 5, to_refund: 1, exchanged: -3 }])).toEqual(["taken", "cash", "exchanged", "refunded", "to_refund", "fee", "tax", "owed", "net"]);
});

test("an order that was left is told in words, whatever its code", () => {
  for (const code of ["sold-at-counter", "order-disputed", "order-dispute-lost", "exchange-running", "coupon-used"]) expect(words.refundAll.why(code)).not.toContain(code);
  expect(words.refundAll.why("of-tomorrow")).toContain("of-tomorrow");
});

test("a step says what it does to tickets that are sold, in the right number", () => {
  expect(words.standing.does.canceled(1).join(" ")).toContain("1 ticket sold stays");
  expect(words.standing.does.postponed(4210).join(" ")).toContain("4,210 tickets sold stay good");
  expect(words.standing.does.on(0).join(" ")).toContain("No ticket is sold yet.");
});
