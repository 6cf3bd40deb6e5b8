// Puts a page's own files where its service worker (edge/offline.js) finds them without a
// network: the page, its scripts and sheets, and the event's picture. Nothing of another
// page, and nothing that an API has said.

/** A page that opens without a network: its worker's cache and script, and where it is. */
export interface Offline {
  cache: string;
  worker: string;
  page: string;
}

const tickets: Offline = { cache: "ropeline-tickets-1", worker: "/tickets/worker.js", page: "/tickets/" };

/** Says whether the page opens without a network from now on. */
export async function keepPage(picture: string | undefined, of: Offline = tickets): Promise<boolean> {
  if (!("serviceWorker" in navigator) || !("caches" in globalThis)) return false;
  try {
    await navigator.serviceWorker.register(of.worker, { scope: of.page, updateViaCache: "none" });
    const page = await fetch(location.pathname, { cache: "no-cache" });
    if (!page.ok) return false;
    const wanted = filesOf(await page.clone().text(), performance.getEntriesByType("resource").map((each) => new URL(each.name)));
    if (picture) wanted.add(picture);
    const cache = await caches.open(of.cache);
    const kept = new Set((await cache.keys()).map((each) => each.url.slice(location.origin.length)));
    await cache.addAll([...wanted].filter((each) => !kept.has(each)));
    await cache.put(of.page, page); // once all is there that it loads
    await navigator.serviceWorker.ready;
    for (const old of kept) {
      if (old.startsWith("/ropeline/") && !wanted.has(old)) await cache.delete(old);
    }
    return true;
  } catch {
    return false;
  }
}

/** What a page says that it loads, and what it has loaded. */
export function filesOf(page: string, loaded: URL[]): Set<string> {
  const named = [...page.matchAll(/["'](\/ropeline\/[^"']+)["']/g)].map((found) => found[1]!);
  return new Set([...named, ...loaded.filter((each) => each.origin === location.origin && each.pathname.startsWith("/ropeline/")).map((each) => each.pathname)]);
}
