// What this phone knows of the tickets of an order: told by the server, kept in the
// browser's database for when there is no network. Keys are there as the browser's own,
// which sign and cannot be read; what was told replaces all that was known before, so the
// key of a ticket that is not the holder's any more is gone with the next answer.

import type { Pass, Passes } from "../api/documents";
import { importKey } from "./code";

export interface Known {
  order: string;
  told: Omit<Passes, "tickets"> & { tickets: Omit<Pass, "key">[] };
  keys: Record<string, CryptoKey>;
  /** What the server's clock was ahead of this one's, ms. */
  ahead: number;
}

/** Takes the keys out of an answer. Without WebCrypto, as on pages that came over http, there are none. */
export async function known(answer: Passes, ahead: number): Promise<Known> {
  const keys: Known["keys"] = {};
  const tickets: Known["told"]["tickets"] = [];
  for (const { key, ...ticket } of answer.tickets) {
    if (key && globalThis.crypto?.subtle) keys[ticket.id] = await importKey({ ...key });
    tickets.push(ticket);
  }
  return { order: answer.order, told: { ...answer, tickets }, keys, ahead };
}

const name = "ropeline-tickets";
const store = "orders";

/** undefined: nothing is kept, or this browser keeps nothing. */
export async function read(order: string): Promise<Known | undefined> {
  try {
    return await ask<Known | undefined>("readonly", (orders) => orders.get(order));
  } catch {
    return undefined;
  }
}

/** Says whether it is kept. */
export async function keep(what: Known): Promise<boolean> {
  try {
    await ask("readwrite", (orders) => orders.put(what, what.order));
    return true;
  } catch {
    return false;
  }
}

export async function erase(order: string): Promise<void> {
  try {
    await ask("readwrite", (orders) => orders.delete(order));
  } catch {
    // Nothing was kept either.
  }
}

async function ask<T>(mode: IDBTransactionMode, what: (orders: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await result<IDBDatabase>(
    Object.assign(indexedDB.open(name, 1), {
      onupgradeneeded(this: IDBOpenDBRequest) {
        this.result.createObjectStore(store);
      },
    }),
  );
  try {
    return await result<T>(what(database.transaction(store, mode).objectStore(store)));
  } finally {
    database.close();
  }
}

const result = <T>(request: IDBRequest): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });
