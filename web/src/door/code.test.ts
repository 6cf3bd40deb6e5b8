import { expect, test } from "vitest";
import made from "../../../booking/ticket/testdata/phone.json";
import { base64, off, parse, unbase64, verifies } from "./code";

// The same file is read by the tests of package booking/ticket, which verify what is in it.

const publicOf = (key: { x: string; y: string }) => base64(Uint8Array.from([...unbase64(key.x), ...unbase64(key.y)]));

test("a scanner reads and verifies what a phone shows", async () => {
  expect(made.length).toBeGreaterThan(4);
  for (const each of made) {
    const code = parse(` ${each.phone.toLowerCase()}\r\n`);
    if (code.kind !== "phone") throw new Error(`${each.phone} is ${code.kind}`);
    expect([code.key, code.ticket, code.issue, code.period]).toEqual([each.key_id, each.ticket, each.issue, each.period]);
    expect(await verifies(publicOf(each.key), code.signature, code.signed)).toBe(true);
    code.signed[26]! ^= 1; // the period after
    expect(await verifies(publicOf(each.key), code.signature, code.signed)).toBe(false);
    const other = made.find((one) => one.key.x !== each.key.x)!;
    code.signed[26]! ^= 1;
    expect(await verifies(publicOf(other.key), code.signature, code.signed)).toBe(false);
  }
});

test("what is no code of ours says so", () => {
  const phone = made[0]!.phone;
  const kinds = ["", "https://example.org/", "RT", "RTX", "A".repeat(31), "A".repeat(33), "1".repeat(32), phone.slice(0, -1), `${phone}A`, `${phone.slice(0, -1)}B`, "RT1"].map((text) => parse(text).kind);
  expect(new Set(kinds)).toEqual(new Set(["foreign"]));
  expect([parse(`RT2${phone.slice(3)}`).kind, parse("rt0").kind]).toEqual(["version", "version"]);
  expect(parse(" abcdefghijklmnopqrstuvwxyz234567\n")).toEqual({ kind: "printed", text: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" });
});

test("a period before and after is good enough, and beyond that it is told by how much", () => {
  const now = 1000 * 15_000 + 7_000;
  expect([999, 1000, 1001, 998, 1040].map((period) => off({ period }, now))).toEqual([0, 0, 0, -30, 600]);
});
