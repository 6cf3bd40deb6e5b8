// Checks one's own place in a draw, with the browser's cryptography and none of
// our servers: docs/draw.md describes the arithmetic for everybody.

import type { DrawProof } from "../api/documents";

const text = new TextEncoder();

type Bytes = Uint8Array<ArrayBuffer>;

function bytes(hex: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(hex)) throw new Error("not hexadecimal");
  return Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
}

function join(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const hex = (data: Bytes) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (...parts: Bytes[]): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

/** The head of the tree that follows from one of its parts and the hashes beside the way up (RFC 6962). */
async function climb(head: Bytes, index: number, count: number, path: Bytes[]): Promise<Bytes> {
  const beside = path.at(-1);
  if (count === 1 || !beside) {
    if (count !== 1 || beside) throw new Error("the path has not the length that it must have");
    return head;
  }
  let left = 1;
  while (left * 2 < count) left *= 2;
  const below = path.slice(0, -1);
  if (index < left) return sha256(Uint8Array.of(1), await climb(head, index, left, below), beside);
  return sha256(Uint8Array.of(1), beside, await climb(head, index - left, count - left, below));
}

export async function rootOf(proof: DrawProof): Promise<string> {
  if (!(proof.index >= 0 && proof.index < proof.count)) throw new Error("the index is out of bounds");
  const leaf = await sha256(Uint8Array.of(0), text.encode(proof.place));
  const head = await climb(leaf, proof.index, proof.count, proof.path.map(bytes));
  const count = new Uint8Array(8);
  new DataView(count.buffer).setBigUint64(0, BigInt(proof.count));
  return hex(await sha256(count, head));
}

export async function scoreOf(proof: DrawProof): Promise<number> {
  const raw = await sha256(bytes(proof.seed), bytes(proof.root), bytes(proof.beacon));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, text.encode(proof.place)));
  return parseInt(hex(mac).slice(0, 13), 16); // 52 bits, which a number holds exactly
}

export async function commitmentOf(proof: DrawProof): Promise<string> {
  const terms = `ropeline draw 1\n${proof.sale}\n${proof.close}\n${proof.beacon_rule}\n`;
  return hex(await sha256(text.encode(terms), bytes(proof.seed)));
}

/** What a browser wrote down when it saw it. */
export interface Noted {
  commitment?: string;
  root?: string;
}

export type Verdict = "holds" | "broken" | "unknown";
export type Check = "seed" | "member" | "score" | "commitmentNoted" | "rootNoted";

const verdict = (holds: boolean): Verdict => (holds ? "holds" : "broken");
const compare = (noted: string | undefined, now: string): Verdict => (noted === undefined ? "unknown" : verdict(noted === now));

/** Everything that a fan can check of their own place, in the order in which one would ask. */
export async function check(proof: DrawProof, noted: Noted): Promise<[Check, Verdict][]> {
  const same = async (made: Promise<string | number>, said: string | number) => verdict((await made.catch(() => undefined)) === said);
  return [
    ["commitmentNoted", compare(noted.commitment, proof.commitment)],
    ["rootNoted", compare(noted.root, proof.root)],
    ["seed", await same(commitmentOf(proof), proof.commitment)],
    ["member", await same(rootOf(proof), proof.root)],
    ["score", await same(scoreOf(proof), proof.score)],
  ];
}
