// Checks entries of a ledger with the browser's cryptography and none of our
// servers: docs/ledger.md describes the format for everybody.

import type { LedgerEntry } from "../api/documents";

/** JSON as RFC 8785 writes it. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
}

export async function sum({ hash: _, ...entry }: LedgerEntry): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonical(entry)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether each entry is what its hash says and follows the one before it. */
export async function holds(entries: LedgerEntry[]): Promise<boolean> {
  const sums = await Promise.all(entries.map(sum));
  return entries.every((entry, i) => {
    const before = entries[i - 1];
    return entry.hash === sums[i] && (!before || (entry.prev === before.hash && entry.seq === before.seq + 1));
  });
}
