import { expect, test } from "vitest";
import type { LedgerEntry, PlaceReceipt } from "../api/documents";
import { minuteOf, story } from "./story";

const entry = (seq: number, time: string, kind: string, data: Record<string, unknown> = {}): LedgerEntry => ({ sale: "gala", seq, time, kind, data, prev: "", hash: "" });
const at = (minute: number) => `2026-11-24T10:0${minute}:00.000Z`;
const entries = [
  entry(1, at(0), "opened"),
  entry(2, at(1), "admissions", { from: at(0), to: at(1), admitted: 30, total: 30 }),
  entry(3, at(1), "signed"),
  entry(4, at(2), "mode", { set: { mode: "pause" }, reason: "the shop is slow" }),
  entry(5, at(4), "admissions", { from: at(3), to: at(4), admitted: 20, total: 50 }),
  entry(6, at(5), "ended", { admitted: 50 }),
];
const place: PlaceReceipt = { sale: "gala", place: "p", state: "done", lobby: true, rank: 41, offer: 41, claimed: true, bought: true, members: 1 };

test("a turn is in the minute in which its number was reached", () => {
  expect(minuteOf(30, entries)).toEqual({ from: at(0), to: at(1) });
  expect(minuteOf(31, entries)).toEqual({ from: at(3), to: at(4) });
  expect(minuteOf(51, entries)).toBeUndefined(); // that minute is not written yet
});

test("what happened to a place stands between what happened to everybody", () => {
  expect(story(place, entries).map(({ of, what, at }) => [of, what, at])).toEqual([
    ["sale", "opened", at(0)],
    ["sale", "mode", at(2)],
    ["mine", "turn", at(3)],
    ["sale", "ended", at(5)],
  ]);
  const missed = { ...place, state: "passed" as const, missed_at: at(2), claimed: false, bought: false };
  delete missed.offer;
  expect(story(missed, entries).filter(({ of }) => of === "mine")).toEqual([{ of: "mine", at: at(2), what: "missed", data: {} }]);
  const late = { ...place, lobby: false, joined_at: at(1) };
  expect(story(late, entries).filter(({ of }) => of === "mine").map(({ what, at }) => [what, at])).toEqual([["joined", at(1)], ["turn", at(3)]]);
  expect(story(undefined, entries).some(({ of }) => of === "mine")).toBe(false);
});
