import assert from "node:assert/strict";
import type { Order, Sale } from "../src/api/documents";
import { home, order as orderWords, shop as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import { places } from "./exchange";
import { Fan } from "./fan";
import { look } from "./look";
import { Buyers } from "./staff";
import { startStack } from "./stack";

const { exchange: swap } = orderWords;

/** A ticket is exchanged for another night, once, whatever is clicked and loaded anew; and somebody else is quicker. */
export async function nights(fan: Fan): Promise<void> {
  const stack = await startStack({ safety_net: true, nights: 2, seats: 60, general: 20, token_life: 300 });
  try {
    const here = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = here;
    const [first, second] = (await (await page.request.get(`${stack.url}/api/v1/sales/${stack.sale}`)).json() as Sale).performances;
    await page.goto(stack.url);
    await page.getByText(home.phase.open).waitFor();
    await here.enter();
    await here.button(words.tiers.bestFor("Circle")).click();
    await here.button(words.basket.checkout).click();
    await page.getByLabel(words.pay.email).fill("fan@example.com");
    await page.getByRole("button", { name: /^Pay / }).click();
    await page.getByRole("link", { name: words.paid.see }).click();
    await hasTickets(here, 2);
    const order = new URL(page.url());

    const give = async () => {
      await page.locator(".exchange label:not(.all) input").first().check();
      await here.button(swap.act).click();
      await places(page);
      await page.getByLabel(swap.performance).selectOption({ index: 1 });
      await page.locator(".tiers .note").filter({ hasText: / free/ }).first().waitFor();
    };
    await give();
    await look(page, "exchange-nights");
    await here.button(swap.best(1, "Circle")).click();
    await page.locator(".total").filter({ hasText: swap.pay.toPay }).waitFor();
    assert.deepEqual(await page.locator(".lines li > span:last-child, .total b").allInnerTexts(), ["€55.00", "-€52.50", "€2.50"]);

    // The button is pressed twice, and the page is loaded anew before there is an answer.
    const keys: string[] = [];
    page.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/exchange")) keys.push(request.headers()["idempotency-key"] ?? "");
    });
    const made: Order[] = [];
    await page.route("**/exchange", async (route) => void made.push(await (await route.fetch()).json()), { times: 1 });
    const pay = page.getByRole("button", { name: words.pay.pay("€2.50") });
    await pay.dblclick();
    await page.getByRole("button", { name: words.pay.paying }).waitFor();
    while (made.length === 0) await page.waitForTimeout(50);
    await page.reload();
    await pay.click();
    await page.getByText(swap.done.lead(1)).waitFor();
    assert.deepEqual([keys.length, new Set(keys).size], [2, 1], "two clicks are one request, and that is asked again with its key");
    await page.getByRole("link", { name: swap.done.see }).click();
    await page.waitForURL(`**/orders/${made[0]!.id}#*`);
    await hasTickets(here, 1);
    assert.deepEqual([made[0]!.performance, made[0]!.tickets.length], [second, 1]);

    // Somebody else takes the seat between the click and its answer: nothing is lost.
    await page.goto(order.href);
    await hasTickets(here, 1);
    const other = new Buyers(stack, first!, 60);
    await other.comeIn(1);
    await page.route(
      "**/exchange/hold",
      async (route) => {
        const { for: wanted } = route.request().postDataJSON() as { for: { performance: string; units: number[] } };
        assert.equal(wanted.performance, first);
        await other.take(wanted.units);
        await route.continue();
      },
      { times: 1 },
    );
    await here.button(swap.act).click();
    await places(page);
    await here.button(words.view.list).click();
    await page.locator(".list summary").first().click();
    await page.locator(".seats button[aria-pressed=false][aria-disabled=false]").first().press("Enter");
    await here.button(swap.see).press("Enter");
    await page.getByText(words.problem.taken).waitFor();
    await page.getByText(swap.picked(0, 1)).waitFor();
    await look(page, "exchange-taken", page.getByText(words.problem.taken));
    await here.button(swap.keep).click();
    await hasTickets(here, 1);

    // Another's order is none.
    const stranger = { Authorization: `Bearer ${made[0]!.key}`, "Ropeline-App": "1" };
    const refused = await page.request.put(`${stack.url}/api/v1${order.pathname}/exchange/hold`, { headers: stranger, data: { for: { performance: second, tier: "x", quantity: 1 } } });
    assert.equal(refused.status(), 404, await refused.text());
  } finally {
    await stack.stop();
  }
}
