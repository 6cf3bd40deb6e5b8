import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** As a browser has it; undefined: it refuses to keep anything. */
function storage(works: boolean) {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => {
      if (!works) throw new DOMException("denied", "SecurityError");
      return kept.get(name) ?? null;
    },
    setItem: (name: string, value: string) => {
      if (!works) throw new DOMException("denied", "SecurityError");
      kept.set(name, value);
    },
    removeItem: (name: string) => void kept.delete(name),
  };
}

let made = 0;

async function load(works = true) {
  vi.resetModules(); // a tab of its own
  vi.stubGlobal("localStorage", works ? shared : storage(false));
  vi.stubGlobal("sessionStorage", storage(works));
  return import("./keep");
}

let shared = storage(true);

beforeEach(() => {
  made = 0;
  shared = storage(true);
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ bag: "b", key: `key-${++made}` }), { status: 201 }));
});
afterEach(() => void vi.unstubAllGlobals());

test("two tabs that claim at once use one bag: in the other one a coupon would be lost", async () => {
  const [one, two] = [await load(), await load()];
  const keys = await Promise.all([one.ownBag(), two.ownBag()]);
  expect(keys[0]).toBe(keys[1]);
  expect((await load()).keptBag()).toBe(keys[0]);
  expect(await one.ownBag()).toBe(keys[0]);
});

test("a browser that keeps nothing has one bag for as long as the page is open", async () => {
  const page = await load(false);
  expect(page.keptBag()).toBe("");
  expect([await page.ownBag(), await page.ownBag(), page.keptBag()]).toEqual(["key-1", "key-1", "key-1"]);
});

test("a claim that was not answered is repeated under its key, and one that was is not", async () => {
  const page = await load();
  const first = page.claimFor("a");
  expect(page.claimFor("a")).toBe(first);
  expect(page.claimFor("b")).not.toBe(first);
  page.forgetClaim("a");
  expect(page.claimFor("a")).not.toBe(first);
});
