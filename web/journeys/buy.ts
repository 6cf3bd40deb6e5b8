import assert from "node:assert/strict";
import { landing, order as orderWords, shop as words, waiting } from "../src/messages/en";
import type { Fan } from "./fan";
import { look } from "./look";
import { Crowd } from "./staff";

/** The whole way: list of sales, lobby, line, turn, seats on the map, payment, tickets; two tabs, and reloads everywhere. */
export async function buy(fan: Fan): Promise<void> {
  const { page } = fan;
  await page.goto(fan.stack.url);
  await page.getByRole("heading", { name: landing.heading }).waitFor();
  await page.locator(".sign").first().waitFor();
  await look(page, "landing");
  await page.locator(".sign").first().click();

  if (fan.stack.fresh) {
    assert.equal(await fan.sees("lobby", "drawing", "waiting", "offered"), "lobby");
    await new Crowd(fan.stack).join(40);
    await look(page, "lobby");
    await page.reload();
    await fan.sees("lobby");
  }
  const second = await fan.secondTab();
  if (fan.stack.fresh) {
    await fan.sees("waiting"); // drawn, seconds before the opening
    await second.sees("waiting", "offered");
    await fan.sees("offered");
  }

  await fan.sees("offered");
  await second.sees("offered");
  assert.match(await page.title(), /your turn|to come in/);
  const claim = fan.button(waiting.offered.claim);
  await fan.button(waiting.offered.claim).waitFor();
  assert.ok(await claim.evaluate((button) => button === document.activeElement), "the claim button has the focus");
  await look(page, "offered");
  await page.reload();
  await fan.comeIn();
  await second.sees("active");
  await look(second.page, "active");
  await second.page.close();

  const seats = await fan.pickOnMap(2);
  await look(page, "shop-picked");
  const beside = await watched(fan);
  await fan.button(words.basket.hold(2)).click();
  await fan.button(words.basket.checkout).waitFor();
  await beside.sees(/ \d held/);
  const held = await fan.basketLines();
  assert.equal(held.length, seats.length);
  await look(page, "shop-held");

  await page.reload();
  await fan.button(words.basket.checkout).waitFor();
  assert.deepEqual(await fan.basketLines(), held, "a reload finds the same basket");
  await fan.button(words.basket.extend).click();
  await page.getByText(words.basket.extended).waitFor();
  await fan.button(words.view.list).click();
  await look(page, "shop-list");

  await fan.button(words.basket.checkout).click();
  await page.getByLabel(words.pay.email).fill("fan@example.com");
  await look(page, "payment");
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("heading", { name: words.paid.heading }).waitFor();
  await look(page, "paid");

  await page.getByRole("link", { name: words.paid.see }).click();
  await page.getByRole("heading", { name: orderWords.heading }).waitFor();
  assert.match(new URL(page.url()).hash, /^#.+/);
  await hasTickets(fan, 2);
  await look(page, "order");
  await page.reload();
  await hasTickets(fan, 2);
  await page.goto(page.url().replace(/#.*/, "#wrong"));
  await page.reload();
  await page.getByRole("heading", { name: orderWords.refused.heading }).waitFor();
}

/** Another tab that is told what becomes of seats, and does not ask. */
async function watched(fan: Fan): Promise<{ sees: (left: RegExp) => Promise<void> }> {
  const tab = await fan.context.newPage();
  let asked = 0;
  tab.on("request", (request) => void (asked += request.resourceType() !== "websocket" && request.url().endsWith("/availability") ? 1 : 0));
  const socket = tab.waitForEvent("websocket", (each) => each.url().includes("/availability/live"));
  await tab.goto(fan.page.url());
  await (await socket).waitForEvent("framereceived");
  const before = asked;
  return {
    sees: async (left) => {
      await tab.locator(".tier .note").filter({ hasText: left }).first().waitFor();
      assert.equal(asked, before, "the page asks although it is told");
      await tab.close();
    },
  };
}

export async function hasTickets(fan: Fan, wanted: number): Promise<void> {
  const codes = fan.page.locator('article[data-ticket="valid"] img[src^="data:image/svg+xml"]');
  await codes.first().waitFor();
  const drawn = await codes.evaluateAll((images) =>
    Promise.all((images as HTMLImageElement[]).map((image) => image.decode().then(() => image.naturalWidth > 0))),
  );
  assert.deepEqual(drawn, Array(wanted).fill(true), "each ticket has a QR code that the browser can draw");
}

