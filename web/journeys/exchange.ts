import assert from "node:assert/strict";
import type { Page, Route } from "playwright-core";
import { order as orderWords, shop as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import type { Fan } from "./fan";
import { fits, look } from "./look";

const { exchange: swap, change, receipt } = orderWords;

/** One ticket for a dearer seat, by way of a bank that says no first; the other one for a cheaper place, with a lost answer. */
export async function exchange(fan: Fan): Promise<void> {
  const { page } = fan;
  await fan.arrive();
  await fan.comeIn();
  await fan.button(words.tiers.bestFor("Circle")).click();
  await fan.button(words.basket.checkout).click();
  await page.getByLabel(words.pay.email).fill("fan@example.com");
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: words.paid.see }).click();
  await hasTickets(fan, 2);
  const address = page.url();

  await fan.button(swap.act).click();
  await page.getByText(change.none).waitFor();
  await page.locator(".exchange label:not(.all) input").first().focus();
  await page.keyboard.press("Space");
  await look(page, "order-exchange", page.locator(".exchange"));
  await page.locator(".exchange button").focus();
  await page.keyboard.press("Enter");
  await places(page);
  await refused(page);
  await fan.button(swap.keep).click();
  await hasTickets(fan, 2);

  await page.locator(".exchange label:not(.all) input").first().check();
  await fan.button(swap.act).click();
  await places(page);
  await fan.pickOnMap(1);
  await page.getByText(swap.picked(1, 1)).waitFor();
  await look(page, "exchange-map");
  await fan.button(words.view.list).click();
  await page.locator(".list select").selectOption({ index: 0 });
  await page.locator(".list summary").first().click();
  const free = page.locator(".seats button[aria-pressed=false][aria-disabled=false]");
  await free.first().press("Enter"); // in the place of the one on the map
  await page.getByText(swap.picked(1, 1)).waitFor();
  await soldMeanwhile(fan);
  await free.nth(3).press("Enter"); // not that one again, which the list may not know of yet
  await page.getByText(swap.picked(1, 1)).waitFor();
  assert.equal(await page.locator(".seats button[aria-pressed=true]").count(), 1);
  await fan.button(swap.see).click();
  await comes(page, ["€75.00", "-€52.50", "€22.50"], swap.pay.toPay);
  await fits(page);
  await look(page, "exchange-pay");
  await page.reload();
  await comes(page, ["€75.00", "-€52.50", "€22.50"], swap.pay.toPay);

  const pay = page.getByRole("button", { name: words.pay.pay("€22.50") });
  await page.getByLabel(words.pay.methods.sandbox_declined.name).check();
  await pay.click();
  await page.getByText(words.problem.declined).waitFor();
  await atTheBank(page, "No");
  await page.getByText(words.problem.declined).waitFor();
  assert.equal(page.url(), address, "the key is in the address again");
  await look(page, "exchange-declined", page.getByText(words.problem.declined));
  await atTheBank(page, "Yes");
  await done(page);
  await look(page, "exchange-done");
  await page.getByRole("link", { name: swap.done.see }).click();
  await page.getByText(receipt.from).waitFor();
  assert.notEqual(page.url(), address);
  await hasTickets(fan, 1);
  await look(page, "exchange-new", page.getByText(receipt.from));
  await page.locator(".bill").getByRole("link", { name: receipt.other }).click();
  await page.locator('article[data-ticket="canceled"]').waitFor();
  await hasTickets(fan, 1);

  await fan.button(swap.act).click(); // there is one ticket, so it is that one
  await places(page);
  await fan.button(swap.standing(1, "Standing")).click();
  await comes(page, ["€45.00", "-€52.50", "€7.50"], swap.pay.back);
  await fan.button(swap.pay.other).click();
  await places(page);
  await fan.button(swap.standing(1, "Standing")).click();
  await comes(page, ["€45.00", "-€52.50", "€7.50"], swap.pay.back);
  await look(page, "exchange-back");
  const keys = await losing(page);
  await fan.button(swap.pay.free).click();
  await done(page);
  assert.ok(keys.length === 2 && new Set(keys).size === 1, `asked again with the same key: ${keys}`);
  await page.getByText(swap.done.back("€7.50")).waitFor();
  await fan.button(swap.done.old).click();
  await page.locator('article[data-ticket="canceled"]').nth(1).waitFor();
  await page.locator(".bill .refund").filter({ hasText: new RegExp(`^${receipt.refund.refunded}`) }).waitFor();
  assert.equal(await page.locator(".bill").getByText(receipt.to).count(), 2);
  assert.equal(await page.locator(".bill").getByText("-€0.00").count(), 0);
  assert.equal(await page.locator(".exchange").count(), 0, "there is nothing left to exchange");
  await look(page, "exchange-old", page.locator(".bill tfoot"));
}

export async function places(page: Page): Promise<void> {
  const heading = page.getByRole("heading", { name: swap.heads(1) });
  await heading.waitFor();
  await page.locator(".tiers .note").filter({ hasText: / free/ }).first().waitFor();
}

/** What the rules of a sale forbid is said in our words: no sale of the demo has such rules, so the answer is made up. */
async function refused(page: Page): Promise<void> {
  const body = JSON.stringify({ type: "urn:ropeline:problem:exchange-coupon", status: 409, detail: "not these words" });
  await page.route("**/exchange/hold", (route) => route.fulfill({ status: 409, contentType: "application/problem+json", body }), { times: 1 });
  await page.getByRole("button", { name: swap.best(1, "Stalls") }).click();
  await page.getByText(swap.problem.coupon).waitFor();
  await look(page, "exchange-places", page.getByText(swap.problem.coupon));
}

/** The counter holds the seat between the last look and the click. */
async function soldMeanwhile(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  await page.route(
    "**/exchange/hold",
    async (route) => {
      const { performance, units } = (JSON.parse(route.request().postData() ?? "") as { for: { performance: string; units: number[] } }).for;
      const held = await fetch(`${stack.url}/api/v1/organizer/performances/${performance}/counter/holds`, {
        method: "POST",
        headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
        body: JSON.stringify({ units }),
      });
      assert.equal(held.status, 201, await held.text());
      await route.continue();
    },
    { times: 1 },
  );
  await fan.button(swap.see).click();
  await page.getByText(words.problem.taken).waitFor();
  await page.getByText(swap.picked(0, 1)).waitFor();
}

/** What is held, what the old ticket is worth, and the difference. */
async function comes(page: Page, amounts: string[], what: string): Promise<void> {
  await page.getByRole("heading", { name: swap.pay.heading }).waitFor();
  await page.locator(".total").filter({ hasText: what }).waitFor();
  const shown = await page.locator(".lines li > span:last-child, .total b").allInnerTexts();
  assert.deepEqual(shown, amounts);
  await page.getByText(swap.pay.kept("€2.50")).waitFor();
}

async function atTheBank(page: Page, answer: "Yes" | "No"): Promise<void> {
  await page.getByLabel(words.pay.methods.sandbox_action.name).check();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("heading", { name: "Sandbox bank" }).waitFor();
  await page.getByRole("button", { name: new RegExp(`^${answer}`) }).click();
  await page.waitForURL("**/orders/**");
}

async function done(page: Page): Promise<void> {
  await page.getByRole("heading", { name: swap.done.heading }).waitFor();
  await page.getByText(swap.done.lead(1)).waitFor();
}

/** The next answer to an exchange is lost on its way. */
async function losing(page: Page): Promise<string[]> {
  const keys: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/exchange")) keys.push(request.headers()["idempotency-key"] ?? "");
  });
  const lose = async (route: Route) => {
    await route.fetch();
    await route.abort();
  };
  await page.route("**/exchange", lose, { times: 1 });
  return keys;
}
