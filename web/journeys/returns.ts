import assert from "node:assert/strict";
import type { Page } from "playwright-core";

import { news as room, order as orderWords, returns as words, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { Fan } from "./fan";
import { look } from "./look";
import { Buyer } from "./news";
import { type Stack, startStack } from "./stack";

/** Everything is sold; two join the returns list, an order is canceled; the first lets the offer lapse, the second buys. */
export async function returns(fan: Fan): Promise<void> {
  const stack = await startStack({ opens_in: 6, lobby_close: 2, cap: 1, seats: 0, general: 4, units_per_hold: 4, token_life: 30, returns_window: 12 });
  try {
    const buyer = new Buyer(stack);
    await buyer.comeIn();
    const here = new Fan(stack, fan.context, fan.page, fan.troubles);
    await here.arrive();
    await here.sees("waiting");
    const first = here.page;
    await buyer.hold();
    const sold = await buyer.pay();

    await first.locator(".news").getByRole("link", { name: room.soldOut.list }).click();
    await first.getByRole("heading", { name: words.join.heading }).waitFor();
    await first.getByText(words.join.waiting(0)).waitFor();
    await look(first, "returns-join");
    await first.getByRole("button", { name: words.join.go }).click();
    await first.getByText(words.problem.email).waitFor();
    await join(first, "ada@example.org");
    await first.getByText(words.place.next).waitFor();
    await look(first, "returns-waiting");

    const second = await fan.context.newPage();
    await second.goto(`${stack.url}/sales/${stack.sale}/returns`);
    await join(second, "ada@example.org", words.problem.joined);
    await join(second, "bob@example.org");
    await second.getByText(words.place.ahead(1)).waitFor();
    await second.reload();
    await second.getByText(words.place.ahead(1)).waitFor();
    await second.waitForTimeout(1_500); // the inventory learns within a second that there is a list

    await cancel(stack, sold.id, sold.tickets.slice(0, 2).map((ticket) => ticket.id));
    await first.getByRole("heading", { name: words.offered.heading }).waitFor();
    const take = first.getByRole("button", { name: words.offered.claim });
    assert.ok(await take.evaluate((button) => button === document.activeElement), "the button has the focus");
    await look(first, "returns-offered");
    assert.equal(await second.getByRole("heading", { name: words.offered.heading }).count(), 0);
    await first.getByRole("heading", { name: words.over.lapsed.heading }).waitFor({ timeout: 30_000 });

    await second.getByRole("heading", { name: words.offered.heading }).waitFor();
    await second.getByRole("button", { name: words.offered.claim }).click();
    await second.getByRole("heading", { name: shop.pay.heading }).waitFor();
    await look(second, "returns-pay");
    await second.getByLabel(shop.pay.email).fill("bob@example.org");
    await second.getByRole("button", { name: /^Pay / }).click();
    await second.getByRole("heading", { name: words.bought.heading }).waitFor();
    await second.getByRole("link", { name: words.bought.see }).click();
    await second.getByRole("heading", { name: orderWords.heading }).waitFor();
    await hasTickets(new Fan(stack, fan.context, second, fan.troubles), 2);
    await second.goto(`${stack.url}/returns/${crypto.randomUUID()}#wrong`);
    await second.getByRole("heading", { name: words.refused.heading }).waitFor();
  } finally {
    await stack.stop();
  }
}

async function join(page: Page, email: string, refusal?: string): Promise<void> {
  await page.getByLabel(words.join.quantity).selectOption("2");
  await page.getByLabel(words.join.email).fill(email);
  await page.getByRole("button", { name: words.join.go }).click();
  if (refusal !== undefined) return page.getByText(refusal).waitFor();
  await page.getByRole("heading", { name: words.place.waiting }).waitFor();
  assert.match(new URL(page.url()).hash, /^#.+/);
}

async function cancel(stack: Stack, order: string, tickets: string[]): Promise<void> {
  const answer = await fetch(`${stack.url}/api/v1/organizer/orders/${order}/cancel`, {
    method: "POST",
    headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({ reason: "they are ill", tickets }),
  });
  assert.equal(answer.status, 200, await answer.text());
}
