// The code that a phone shows: signed anew each period, without a connection. What its
// characters mean is written in booking/ticket/code.go, which reads them.

/** How long one code is shown, ms. */
export const period = 15_000;

export const periodOf = (now: number) => Math.floor(now / period);

/** Of what a code is. */
export interface Of {
  ticket: string;
  issue: number;
  key_id: string;
}

const family = "RT1";
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const algorithm = { name: "ECDSA", namedCurve: "P-256" };

/** The key as the browser keeps it: it signs, and is never told again. */
export const importKey = (key: JsonWebKey) => crypto.subtle.importKey("jwk", key, algorithm, false, ["sign"]);

export async function codeOf(key: CryptoKey, of: Of, period: number): Promise<string> {
  const signed = new Uint8Array(24);
  signed.set(bytesOf(of.key_id));
  signed.set(bytesOf(of.ticket.replaceAll("-", "")), 2);
  const numbers = new DataView(signed.buffer);
  numbers.setUint16(18, of.issue);
  numbers.setUint32(20, period);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, join(new TextEncoder().encode(family), signed));
  return family + base32(join(signed, new Uint8Array(signature)));
}

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function join(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** RFC 4648, without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += digits[(held >> (bits - 5)) & 31];
    held &= 255;
  }
  return bits > 0 ? text + digits[(held << (5 - bits)) & 31] : text;
}
