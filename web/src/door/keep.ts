// What a scanner keeps in the browser's database, so that it goes on where it was when the page
// is loaded again without a network: the signed list of a performance, what it has let in, and
// what it has decided and not handed in yet.

import type { Decision, Desk, SignedList } from "../api/door";
import type { Listing } from "../api/counter";
import type { Seen } from "./list";

/** Of a performance. */
export interface Kept {
  show: Listing;
  desk: Desk;
  signed?: SignedList;
  /** What the server's clock was ahead of this one's, ms. */
  ahead: number;
  seen: Seen;
}

export interface Queued {
  performance: string;
  device: string;
  decision: Decision;
}

const name = "ropeline-door";

export const read = (performance: string) => ask<Kept | undefined>("shows", "readonly", (shows) => shows.get(performance)).catch(() => undefined);

/** Says whether it is kept. */
export const keep = (what: Kept) =>
  ask("shows", "readwrite", (shows) => shows.put(what, what.show.id)).then(
    () => true,
    () => false,
  );

/** Rejects if it is not kept: then nothing may be decided without a network. */
export const queue = (what: Queued) => ask("queue", "readwrite", (all) => all.put(what, what.decision.id));
export const queued = () => ask<Queued[]>("queue", "readonly", (all) => all.getAll()).catch(() => [] as Queued[]);
export const handedIn = (id: string) => ask("queue", "readwrite", (all) => all.delete(id));

const place = "ropeline-door-place";

export interface Place {
  performance: string;
  door: string;
  device: string;
}

/** Where this scanner stands. */
export function standing(): Place {
  let was: Partial<Place> = {};
  try {
    was = JSON.parse(localStorage.getItem(place) ?? "{}") as Partial<Place>;
  } catch {
    // A browser that keeps nothing.
  }
  const device = was.device ?? `scanner ${[...crypto.getRandomValues(new Uint8Array(2))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return { performance: was.performance ?? "", door: was.door ?? "", device };
}

export function stand(at: Place): void {
  try {
    localStorage.setItem(place, JSON.stringify(at));
  } catch {
    // As above.
  }
}

async function ask<T>(store: "shows" | "queue", mode: IDBTransactionMode, what: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await result<IDBDatabase>(
    Object.assign(indexedDB.open(name, 1), {
      onupgradeneeded(this: IDBOpenDBRequest) {
        this.result.createObjectStore("shows");
        this.result.createObjectStore("queue");
      },
    }),
  );
  try {
    const done = database.transaction(store, mode);
    const over = new Promise<void>((resolve, reject) => {
      done.oncomplete = () => resolve();
      done.onabort = () => reject(done.error);
    });
    const [value] = await Promise.all([result<T>(what(done.objectStore(store))), over]); // on disk, not only asked for
    return value;
  } finally {
    database.close();
  }
}

const result = <T>(request: IDBRequest): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });
