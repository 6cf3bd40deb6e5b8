import type { Page } from "playwright-core";

import { leaving, shop as words, waiting } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { look } from "./look";
import { Staff } from "./staff";

/** Leaving the line and leaving the shop, each after a question, and coming back. */
export async function leave(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { page } = fan;
  const { cap } = await staff.live();
  await staff.cap(0);
  try {
    await fan.arrive();
    await fan.sees("waiting");
    await fan.button(waiting.leave).click();
    await look(page, "leave-ask");
    await fan.button(leaving.stay).click();
    await fan.sees("waiting");
    await fan.button(waiting.leave).click();
    await fan.button(leaving.go).click();
    await fan.sees("left");
    await look(page, "left");
    await page.reload();
    await fan.sees("left"); // a reload alone does not join again
    await fan.button(waiting.rejoin).click();
    await fan.sees("waiting");
  } finally {
    await staff.cap(cap);
  }
  await fan.comeIn();
  await fan.button(words.tiers.bestFor("Stalls")).click();
  await fan.button(words.basket.checkout).waitFor();
  const before = await held(page);
  await fan.button(words.leave).click();
  await fan.button(words.leaveAsk.go).click();
  await page.getByRole("heading", { name: words.closed.left.heading }).waitFor();
  const after = await held(page);
  if (after !== before - 2) throw new Error(`${before} units were held before the fan was done, ${after} after it: want two less`);
  await look(page, "shop-left");
  await page.reload();
  await page.getByRole("heading", { name: words.closed.over.heading }).waitFor();
  await page.getByRole("link", { name: words.closed.back }).click();
  await fan.sees("done");
  await look(page, "done");
}

/** How many units anybody holds, as any visitor sees it. A picture may be a second old: this one is newer than the call. */
async function held(page: Page): Promise<number> {
  const called = Date.now();
  const sale = await (await page.request.get(new URL("/api/v1/sales", page.url()).href)).json();
  const url = new URL(`/api/v1/performances/${sale.sales[0].performances[0]}/availability`, page.url()).href;
  let now: { as_of: string; tiers: { held: number }[] } | undefined;
  await until(async () => {
    now = await (await page.request.get(url)).json();
    return Date.parse(now!.as_of) >= called;
  }, "a new picture of what is held");
  return now!.tiers.reduce((sum, tier) => sum + tier.held, 0);
}
