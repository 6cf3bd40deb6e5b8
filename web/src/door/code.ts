// Reads the code of a ticket, as booking/ticket does, and verifies it without a network.

import { period, periodOf } from "../ticket/code";

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A code that was read. A printed one has its text alone. */
export type Code = { kind: "foreign" } | { kind: "version" } | { kind: "printed"; text: string } | { kind: "phone"; key: string; ticket: string; issue: number; period: number; signed: Uint8Array<ArrayBuffer>; signature: Uint8Array<ArrayBuffer> };

const printedLength = 32;
const bytesOfPhone = 88;

export function parse(read: string): Code {
  const text = read.trim().toUpperCase();
  if (text.length === printedLength && unbase32(text, 20)) return { kind: "printed", text };
  if (/^RT[02-9]/.test(text)) return { kind: "version" };
  const bytes = text.startsWith("RT1") ? unbase32(text.slice(3), bytesOfPhone) : undefined;
  if (!bytes) return { kind: "foreign" };
  const numbers = new DataView(bytes.buffer);
  const signed = new Uint8Array(3 + 24);
  signed.set(new TextEncoder().encode("RT1"));
  signed.set(bytes.slice(0, 24), 3);
  const hex = [...bytes.slice(0, 18)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    kind: "phone",
    key: hex.slice(0, 4),
    ticket: hex.slice(4).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5"),
    issue: numbers.getUint16(18),
    period: numbers.getUint32(20),
    signed,
    signature: bytes.slice(24),
  };
}

/** undefined: it is not the one text of so many bytes. */
function unbase32(text: string, length: number): Uint8Array<ArrayBuffer> | undefined {
  if (text.length !== Math.ceil((length * 8) / 5)) return undefined;
  const bytes = new Uint8Array(length);
  let [bits, held, at] = [0, 0, 0];
  for (const char of text) {
    const digit = digits.indexOf(char);
    if (digit < 0) return undefined;
    held = (held << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 255;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : undefined;
}

/** Of base64url, without padding. */
export const unbase64 = (text: string) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));

export const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const algorithm = { name: "ECDSA", namedCurve: "P-256" };

/** Whether a text was signed by the other half of a public key: x and y in base64url. */
export async function verifies(publicKey: string, signature: Uint8Array<ArrayBuffer>, text: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const point = new Uint8Array(65);
  point[0] = 4;
  point.set(unbase64(publicKey), 1);
  const key = await crypto.subtle.importKey("raw", point, algorithm, false, ["verify"]);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, text);
}

/** How many seconds a phone's clock is off, to a period; 0: it is good enough. */
export function off(code: { period: number }, now: number): number {
  const periods = code.period - periodOf(now);
  return Math.abs(periods) <= 1 ? 0 : (periods * period) / 1000;
}
