// Finds the key to a challenge in ALTCHA's format, version 2 (PBKDF2/SHA-256).

export interface Challenge {
  parameters: { cost: number; keyLength: number; keyPrefix: string; nonce: string; salt: string; [name: string]: unknown };
  signature: string;
}

export interface Solution {
  counter: number;
  derivedKey: string;
}

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));

/** Tries one counter after the other; the sale's rule bounds how many there are. */
export async function solve({ parameters: p }: Challenge): Promise<Solution> {
  const nonce = bytes(p.nonce);
  const password = new Uint8Array(nonce.length + 4);
  password.set(nonce);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt: bytes(p.salt), iterations: p.cost };
  for (let counter = 0; counter <= 0xffffffff; counter++) {
    new DataView(password.buffer).setUint32(nonce.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derived = new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, p.keyLength * 8));
    const derivedKey = Array.from(derived, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (derivedKey.startsWith(p.keyPrefix)) return { counter, derivedKey };
  }
  throw new Error("the challenge has no key");
}

/** The proof as a join brings it. */
export const proofOf = (challenge: Challenge, solution: Solution): string => btoa(JSON.stringify({ challenge, solution }));
