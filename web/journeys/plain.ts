import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Fan } from "./fan";
import { look } from "./look";
import { Crowd, Staff } from "./staff";

const scene = (page: Page, name: string) => page.locator(`[data-scene="${name}"]`).waitFor({ timeout: 60_000 });

/** A browser without JavaScript: it joins, the page moves on by itself, and the turn leads to the shop. */
export async function plain(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { cap } = await staff.live();
  const crowd = new Crowd(fan.stack);
  const context = await fan.context.browser()!.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  await staff.cap(0);
  try {
    const page = await context.newPage();
    await fan.outlastTheDraw();
    await crowd.join(3);
    await page.goto(fan.room);
    await page.waitForURL("**/plain"); // the page leads there itself
    await scene(page, "none");
    await pictures(fan, page, "plain-none");
    await page.getByRole("button", { name: "Join the line" }).click();
    await scene(page, "waiting");
    const before = await ahead(page);
    assert.ok(before >= 3, `behind those who were there: ${before}`);
    await pictures(fan, page, "plain-waiting", { handover: "Move to another device", invite: "Invite friends", leave: "Leave the line" });
    await fan.arrive(); // the same place, with scripts
    await fan.sees("waiting");
    assert.equal(await fan.position(), before);
    await crowd.leave(3);
    // No reload of ours: the Refresh header does it.
    await page.locator("h1").filter({ hasText: new RegExp(`^(${before - 3}people|0You are next)`) }).waitFor({ timeout: 30_000 });

    await page.getByRole("button", { name: "Move to another device" }).click();
    await scene(page, "handover");
    await page.getByRole("link", { name: "Back to the line" }).click();
    await scene(page, "waiting");

    await page.getByRole("button", { name: "Invite friends" }).click();
    const link = await page.getByLabel("The link").inputValue();
    await page.getByRole("link", { name: "Back to the line" }).click();

    const other = await (await fan.context.browser()!.newContext({ javaScriptEnabled: false })).newPage();
    await other.goto(page.url());
    await other.getByText("Share the place of friends").click();
    await other.getByLabel("The link that a friend sent you").fill(link);
    await other.getByRole("button", { name: "Join them" }).click();
    for (const each of [page, other]) await each.getByText("a party of 2").waitFor({ timeout: 30_000 });
    await leaveForGood(other);
    await scene(other, "none");
    await page.getByText("a party of 2").waitFor({ state: "detached", timeout: 30_000 });

    await other.getByRole("button", { name: "Join the line" }).click();
    await leaveForGood(other);
    await scene(other, "none");
    await other.context().close();
  } finally {
    await staff.cap(cap);
  }
  const [page] = context.pages();
  await scene(page!, "offered");
  await page!.getByRole("button", { name: "Come in" }).click();
  await page!.waitForURL("**/shop");
  await page!.goBack();
  await scene(page!, "active");
  await pictures(fan, page!, "plain-active");
  await page!.getByRole("link", { name: "Go to the shop" }).click();
  await page!.waitForURL("**/shop");
  await context.close();
}

/** The question is a page of its own, which stays. */
async function leaveForGood(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Leave the line" }).click();
  await page.getByRole("button", { name: "Leave for good" }).click();
}

async function ahead(page: Page): Promise<number> {
  return Number((await page.locator("h1").innerText()).split("\n")[0]!.replace(/\D/g, ""));
}

/** Of the same page, and the scenes that buttons of it lead to, in a browser that holds still and in which axe can run. */
async function pictures(fan: Fan, page: Page, name: string, buttons: Record<string, string> = {}): Promise<void> {
  await fan.context.addCookies(await page.context().cookies());
  await fan.page.route("**/plain", async (route) => {
    const response = await route.fetch();
    const { refresh: _, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  });
  await fan.page.goto(page.url());
  await look(fan.page, name);
  for (const [leadsTo, button] of Object.entries(buttons)) {
    await fan.page.getByRole("button", { name: button }).click();
    await scene(fan.page, leadsTo);
    await look(fan.page, `plain-${leadsTo}`);
    await fan.page.getByRole("link", { name: /^(Back to|Stay in) the line$/ }).click();
    await scene(fan.page, "waiting");
  }
  await fan.page.unroute("**/plain");
}
