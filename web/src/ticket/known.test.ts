import { expect, test } from "vitest";
import made from "../../../booking/ticket/testdata/phone.json";
import type { Passes } from "../api/documents";
import { keep, known, read } from "./known";

const answer: Passes = {
  order: "o",
  now: "2026-11-27T19:42:00Z",
  for: { title: "Gala", state: "scheduled", starts_at: "2026-11-27T20:00:00Z", time_zone: "Europe/Lisbon", venue: "Opera" },
  tickets: [
    { id: "a", state: "valid", label: "A-1", tier: "Stalls", issue: 1, key_id: "dcdb", key: made[0]!.key },
    { id: "b", state: "canceled", label: "A-2", tier: "Stalls", issue: 1 },
  ],
};

test("a key that was told is one that signs and is never told again", async () => {
  const has = await known(answer, -90_000);
  expect(Object.keys(has.keys)).toEqual(["a"]);
  expect(has.keys.a!.extractable).toBe(false);
  expect(has.keys.a!.usages).toEqual(["sign"]);
  expect(JSON.stringify(has)).not.toContain(made[0]!.key.d);
  expect(has.told.tickets).toHaveLength(2);
  expect(has.ahead).toBe(-90_000);
});

test("a browser without a database keeps nothing and says so", async () => {
  expect(await keep(await known(answer, 0))).toBe(false);
  expect(await read("o")).toBeUndefined();
});
