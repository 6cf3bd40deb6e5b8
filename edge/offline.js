// The service worker of pages that open without a network, and of nothing else: edge/offline.go
// says which. It keeps nothing itself. A page puts its own files into the cache
// (web/src/ticket/offline.ts); this answers with them when there is no network, or none to speak
// of, as in a full hall. What a page knows is in its own database: no API is ever answered from
// here, but pictures, which never change.

const name = "ropeline-{name}-1"; // another number: whatever is kept has another form
const patience = 3_000;

addEventListener("install", () => skipWaiting());

addEventListener("activate", (event) =>
  event.waitUntil(
    caches.keys().then((all) => Promise.all([clients.claim(), ...all.filter((each) => each.startsWith("ropeline-{name}-") && each !== name).map((each) => caches.delete(each))])),
  ),
);

addEventListener("fetch", (event) => {
  const { request } = event;
  const at = new URL(request.url);
  if (request.method !== "GET" || at.origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (at.pathname.startsWith("/ropeline/") || at.pathname.startsWith("/api/v1/pictures/")) event.respondWith(kept(request));
});

/** The newest page if it comes soon. All of them are one. */
async function page(request) {
  const old = await (await caches.open(name)).match("{page}");
  const newest = fetch(request);
  if (!old) return newest;
  const late = new Promise((resolve) => setTimeout(resolve, patience));
  const answer = await Promise.race([newest, late]).catch(() => undefined);
  return answer?.ok ? answer : old;
}

/** Names of files change with what is in them. */
async function kept(request) {
  return (await (await caches.open(name)).match(request.url)) ?? fetch(request);
}
