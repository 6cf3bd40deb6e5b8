// What comes to an e-mail address of the dev stack, and the codes of an authenticator.

import { createHmac } from "node:crypto";
import { until } from "./fan";
import type { Stack } from "./stack";

interface Letter {
  id: string;
  to: string;
  subject: string;
  text: string;
}

/** What came, the newest first; it may not be all yet. */
export async function letters(stack: Stack): Promise<Letter[]> {
  if (stack.mailbox === undefined) throw new Error("this journey needs the mailbox of a stack: ROPELINE_MAILBOX");
  return ((await (await fetch(`${stack.mailbox}/letters`)).json()) as Letter[] | null) ?? []; // null before the first
}

/** What came to somebody, the newest first. */
export async function lettersTo(stack: Stack, to: string): Promise<Letter[]> {
  return (await letters(stack)).filter((each) => each.to.includes(to));
}

/** The link of the newest letter to somebody that has one with this purpose; it may be on its way. */
export async function linkTo(stack: Stack, to: string, purpose: string): Promise<string> {
  let link: string | undefined;
  await until(async () => {
    const found = (await lettersTo(stack, to)).map((each) => new RegExp(`http\\S*/account#${purpose}=[\\w-]+`).exec(each.text)?.[0]);
    link = found.find((each) => each !== undefined);
    return link !== undefined;
  }, `a letter to ${to} with a link to ${purpose}`);
  return link!;
}

/** What an authenticator shows (RFC 6238): ahead: so many periods of 30 s later. */
export function codeOf(secret: string, ahead = 0): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replaceAll(" ", "")].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const sum = createHmac("sha1", key).update(step).digest();
  const at = sum[19]! & 15;
  return String((sum.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
