import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { waiting } from "../src/messages/en";
import type { Fan } from "./fan";
import { until } from "./fan";
import { look } from "./look";
import { Staff } from "./staff";

/** A shop that knows nothing of us, on a host of its own, behind the gate: in, back to where one was, and out again. */
export async function gate(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  if (!stack.shop) return; // somebody's running stack has no such shop
  const seen: IncomingMessage[] = [];
  const shop = createServer((request, response) => answer(request, response, seen));
  try {
    const home = stack.shop.url;
    // While the shop is away the page says so, and comes back by itself.
    await page.goto(`${home}/`);
    await page.getByRole("heading", { name: "The shop cannot be reached" }).waitFor();
    await new Promise<void>((listening) => shop.listen(stack.shop!.port, "127.0.0.1", listening));
    await page.getByRole("heading", { name: "A shop" }).waitFor();
    await page.goto(`${home}/buy%2f4`); // which some would read as /buy/4
    await page.getByRole("heading", { name: "This address cannot be opened" }).waitFor();
    await look(page, "shop-refused");
    await page.getByRole("link", { name: "To the front page" }).press("Enter");
    await page.getByRole("heading", { name: "A shop" }).waitFor();
    await page.getByRole("link", { name: "Buy" }).click(); // a page that needs a token
    await page.waitForURL("**/sales/*");
    await fan.sees("offered");
    await fan.button(waiting.offered.claim).click();
    await page.waitForURL(`${home}/buy/4?seat=a%2Fb&c[]=1`); // back to where it was asked for
    await page.getByRole("heading", { name: "Buy /buy/4?seat=a%2Fb&c[]=1" }).waitFor();
    const request = seen.at(-1)!;
    assert.ok(request.headers["x-ropeline-session"], "the shop is told who is in");
    assert.ok(!String(request.headers.cookie).includes("ropeline_"), "our cookies stay with us");

    // The shop says that it is over; from then on the way leads through the room again.
    await page.getByRole("button", { name: "Pay" }).click();
    await page.getByRole("heading", { name: "Thank you" }).waitFor();
    await until(async () => {
      await page.goto(`${home}/buy/5`);
      return new URL(page.url()).pathname.startsWith("/sales/");
    }, "the session is over");
    await fan.sees("done");
    assert.ok(!seen.some((r) => r.url === "/buy/5"), "nothing reached the shop without a token");
    // A way back that is no path of this host is none.
    for (const evil of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example"]) {
      await page.goto(`${home}/sales/${stack.sale}?back=${encodeURIComponent(evil)}`);
      await fan.sees("done");
      const links = await page.locator("a[href]").evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).host));
      assert.ok(links.every((host) => !host.includes("evil")), `${evil} leads to ${links}`);
    }

    // The shop had failed the fan, says its staff: back in, past whoever waits.
    await new Staff(stack).reentry(String(request.headers["x-ropeline-session"]));
    await page.goto(`${home}/sales/${stack.sale}?back=%2Fbuy%2F6`);
    await page.getByRole("heading", { name: waiting.reentry.headline }).waitFor();
    await look(page, "reentry");
    await fan.button(waiting.reentry.rejoin).press("Enter");
    await fan.sees("offered");
    await fan.button(waiting.offered.claim).click();
    await page.getByRole("heading", { name: "Buy /buy/6" }).waitFor();
  } finally {
    shop.closeAllConnections();
    shop.close();
  }
}

function answer(request: IncomingMessage, response: ServerResponse, seen: IncomingMessage[]): void {
  const page = (title: string, body: string) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>${title}</title><link rel="icon" href="data:,"><main><h1>${title}</h1>${body}</main></html>`);
  };
  seen.push(request);
  if (request.url === "/") return page("A shop", `<p><a href="/buy/4?seat=a%2Fb&amp;c[]=1">Buy</a></p>`);
  if (request.method === "POST") {
    response.setHeader("ropeline-session", "end");
    return page("Thank you", "");
  }
  page(`Buy ${request.url!.replaceAll("&", "&amp;")}`, `<form method="post" action="/buy/paid"><button>Pay</button></form>`);
}
