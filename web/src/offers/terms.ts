// What is typed of a coupon, and what comes of it.

import type { Terms } from "../api/offers";
import { minor } from "../setup/draft";

export interface Typed {
  title: string;
  /** Of the event; "": the shop's till. */
  event: string;
  kind: "percent" | "amount";
  worth: string;
  currency: string;
  stock: string;
  person: string;
  shareable: boolean;
  from: string;
  until: string;
  expires: string;
}

/** The field that is wrong, as the words name it. */
export type Wrong = keyof Omit<Typed, "event" | "kind" | "shareable">;

/** A name as a slug; "" of a name without a letter or digit. */
export const slug = (name: string) =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 60)
    .replace(/^-+|-+$/g, "");

const whole = (text: string, most: number) => (/^\d{1,7}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= most ? Number(text) : undefined);
const time = (local: string) => (Number.isNaN(Date.parse(local)) ? undefined : new Date(local).toISOString());

/** What is asked for, or the first field that is wrong. Times are by the clocks of the browser. */
export function termsOf(typed: Typed, product: string): Terms | Wrong {
  const title = typed.title.trim();
  if (title === "") return "title";
  if (!/^[A-Z]{3}$/.test(typed.currency)) return "currency";
  const percent = typed.kind === "percent";
  const worth = percent ? whole(typed.worth, 100) : minor(typed.worth, typed.currency);
  if (worth === undefined || worth === 0) return "worth";
  const stock = whole(typed.stock, 100_000);
  if (stock === undefined) return "stock";
  const person = whole(typed.person, 100);
  if (person === undefined) return "person";
  const [from, until, expires] = [time(typed.from), time(typed.until), time(typed.expires)];
  if (from === undefined) return "from";
  if (until === undefined || until <= from) return "until";
  if (expires === undefined || expires < until) return "expires";
  return {
    product,
    title,
    ...(percent ? { percent: worth } : { amount: worth }),
    currency: typed.currency,
    shareable: typed.shareable,
    stock,
    per_person: person,
    publish_from: from,
    publish_until: until,
    expires_at: expires,
  };
}
