// What is looked for stands in the page's address, so that it can be sent and found again.

import { query, type Wanted } from "../api/guide";

const names = ["q", "kind", "category", "from", "to", "city", "country", "near", "radius", "price_from", "price_to", "currency", "available", "order"] as const;

export function wantedOf(search: string): Wanted {
  const asked = new URLSearchParams(search);
  const wanted: Wanted = {};
  for (const name of names) {
    const value = asked.get(name);
    if (value !== null && value !== "") wanted[name] = value;
  }
  return wanted;
}

export function pageOf(wanted: Wanted): string {
  const text = query(wanted);
  return text === "" ? "/search" : `/search?${text}`;
}

/** A change of what is looked for. What makes no sense any more goes with it. */
export function changed(before: Wanted, change: Wanted): Wanted {
  const next = { ...before, ...change };
  for (const name of names) if (next[name] === "") delete next[name];
  if (!next.near) delete next.radius;
  if (next.near && change.near) {
    delete next.city;
    delete next.country;
  } else if (change.city || change.country) {
    delete next.near;
    delete next.radius;
  }
  if (!next.price_from && !next.price_to) delete next.currency;
  if (next.order === "relevant" && !next.q) delete next.order;
  return next;
}

/** What somebody typed as a price, in minor units; "": none, or it is no number. */
export function minor(text: string, currency: string): string {
  const typed = text.trim().replace(",", ".");
  if (!/^\d{1,7}(\.\d+)?$/.test(typed)) return "";
  return String(Math.round(Number(typed) * 10 ** digitsOf(currency)));
}

/** And back. */
export function major(amount: string | undefined, currency: string): string {
  return amount && /^\d+$/.test(amount) ? String(Number(amount) / 10 ** digitsOf(currency)) : "";
}

function digitsOf(currency: string): number {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}
