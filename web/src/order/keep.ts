// The orders made in this browser, with the keys that open them. Until tickets
// go out by e-mail this is the fan's only copy besides the page's address.

import type { ExchangeQuote } from "../api/documents";

export interface Kept {
  id: string;
  key: string;
  sale: string;
  at: string;
}

const name = "ropeline.orders";

export function keptOrders(sale?: string): Kept[] {
  try {
    const all = JSON.parse(localStorage.getItem(name) ?? "[]") as Kept[];
    return sale === undefined ? all : all.filter((order) => order.sale === sale);
  } catch {
    return [];
  }
}

export function keepOrder(order: Kept): void {
  try {
    localStorage.setItem(name, JSON.stringify([order, ...keptOrders().filter((other) => other.id !== order.id)]));
  } catch {
    // Storage is switched off: the address of the order page is all there is.
  }
}

/** Of an order that came to nothing. */
export function dropOrder(id: string): void {
  try {
    localStorage.setItem(name, JSON.stringify(keptOrders().filter((other) => other.id !== id)));
  } catch {
    // Nothing was kept either.
  }
}

/** An exchange of an order's tickets that is under way in this tab: it outlives a reload, and the way to the bank and back. */
export interface Exchanging {
  tickets: string[];
  quote: ExchangeQuote;
  /** The order that it makes, while the fan is at the bank. */
  away: string | undefined;
}

const exchangeName = (order: string) => `ropeline.exchange.${order}`;

export function keptExchange(order: string): Exchanging | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(exchangeName(order)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** undefined: it is over. */
export function keepExchange(order: string, exchange: Exchanging | undefined): void {
  try {
    if (exchange) sessionStorage.setItem(exchangeName(order), JSON.stringify(exchange));
    else sessionStorage.removeItem(exchangeName(order));
  } catch {
    // Then a reload begins it anew, and what was held runs out.
  }
}

export const orderAddress = (order: { id: string; key: string }) => `/orders/${encodeURIComponent(order.id)}#${order.key}`;
