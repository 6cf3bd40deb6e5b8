// The orders made in this browser, with the keys that open them. Until tickets
// go out by e-mail this is the fan's only copy besides the page's address.

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

export const orderAddress = (order: { id: string; key: string }) => `/orders/${encodeURIComponent(order.id)}#${order.key}`;
