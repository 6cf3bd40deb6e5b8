import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { LedgerEntry } from "../api/documents";
import { ledger as words } from "../messages/en";
import { canonical, holds, sum } from "./check";

const frozen = readFileSync("../queue/ledger/testdata/ledger.jsonl", "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as LedgerEntry);

test("a frozen ledger holds", async () => {
  expect(await holds(frozen)).toBe(true);
  expect(await holds(frozen.slice(3, 7))).toBe(true);
});

test("whatever is changed is noticed", async () => {
  const with_ = (at: number, change: Partial<LedgerEntry>) => frozen.map((each, i) => (i === at ? { ...each, ...change } : each));
  expect(await holds(with_(4, { data: { cap: 1 } }))).toBe(false);
  expect(await holds(with_(4, { kind: "another" }))).toBe(false);
  expect(await holds(with_(4, { hash: "00" }))).toBe(false);
  expect(await holds(frozen.filter((_, i) => i !== 4))).toBe(false);
  const forged = { ...frozen[4]!, data: { cap: 1 } };
  expect(await holds(with_(4, { data: forged.data, hash: await sum(forged) }))).toBe(false);
});

test("JSON is written in one way", () => {
  expect(canonical({ b: [1, 0.5, 1e21, null, true], a: { é: "<\u2028\n\"", "": {} } })).toBe('{"a":{"":{},"é":"<\u2028\\n\\""},"b":[1,0.5,1e+21,null,true]}');
});

test("every kind that the frozen ledger has is told in words", () => {
  for (const entry of frozen) expect(words.kinds[entry.kind]?.(entry.data), entry.kind).not.toMatch(/undefined|NaN|object/);
});
