import { expect, test } from "vitest";
import { filesOf } from "./offline";

test("a page's own files are kept, and nothing else", () => {
  const page = `<link rel="icon" href="/ropeline/mark-1.svg"><script type="module" src="/ropeline/ticket-2.js"></script><link rel="modulepreload" href='/ropeline/shared-3.js'><a href="/orders/1">`;
  Object.assign(globalThis, { location: { origin: "https://tickets.example.org" } });
  const loaded = ["https://tickets.example.org/ropeline/Top-4.js", "https://tickets.example.org/api/v1/orders/1/passes", "https://elsewhere.example/ropeline/x.js", "https://tickets.example.org/sales/gala"];
  expect([...filesOf(page, loaded.map((each) => new URL(each)))]).toEqual(["/ropeline/mark-1.svg", "/ropeline/ticket-2.js", "/ropeline/shared-3.js", "/ropeline/Top-4.js"]);
});
