import { correction, generate } from "lean-qr";
import { expect, test } from "vitest";
import made from "../../../booking/ticket/testdata/phone.json";
import { codeOf, importKey, periodOf } from "./code";

// The same file is read by the tests of package booking/ticket, which verify what is in it.

const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const hash = { name: "ECDSA", hash: "SHA-256" };
const unsigned = 3 + Math.floor((24 * 8) / 5); // characters that no bit of the signature is in

test("a phone signs what the door reads", async () => {
  expect(made.length).toBeGreaterThan(4);
  for (const each of made) {
    const key = await importKey(each.key);
    expect(key.extractable).toBe(false);
    const code = await codeOf(key, each, each.period);
    expect(code).toMatch(/^RT1[A-Z2-7]{141}$/);
    expect(code.slice(0, unsigned)).toBe(each.phone.slice(0, unsigned));
    const { d: _, ...half } = each.key;
    const open = await crypto.subtle.importKey("jwk", half, algorithm, false, ["verify"]);
    for (const text of [code, each.phone]) {
      const bytes = read(text.slice(3));
      const signed = Uint8Array.from([...new TextEncoder().encode("RT1"), ...bytes.subarray(0, 24)]);
      expect(await crypto.subtle.verify(hash, open, bytes.subarray(24), signed)).toBe(true);
      signed[3 + 23]! ^= 1; // the period after
      expect(await crypto.subtle.verify(hash, open, bytes.subarray(24), signed)).toBe(false);
    }
  }
});

test("a code is a picture of version 6, as that of the Go side is", () => {
  for (const each of made) {
    const code = generate(each.phone, { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M });
    expect(code.size).toBe(17 + 4 * 6);
  }
});

test("periods are counted from 1970", () => {
  expect([0, 14_999, 15_000, Date.parse("2026-11-27T19:42:07Z")].map(periodOf)).toEqual([0, 0, 1, 119_720_568]);
});

/** The slow way: a number of all bits. */
function read(text: string): Uint8Array<ArrayBuffer> {
  const bits = [...text].map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit).toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
