import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { home, order as orderWords, shop as words, waiting } from "../src/messages/en";
import type { Fan } from "./fan";
import { fits, look, shiftsOfLoad } from "./look";
import { Crowd } from "./staff";

/** The whole way: list of sales, lobby, line, turn, seats on the map, payment, tickets; two tabs, and reloads everywhere. */
export async function buy(fan: Fan): Promise<void> {
  const { page } = fan;
  await page.goto(fan.stack.url);
  await page.getByRole("heading", { name: home.heading }).waitFor();
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
  assert.match(await page.locator(".basket .clock b").innerText(), /^(10:00|9:5\d)$/, "ten minutes, and not a second more");
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
  await fits(page);
  await look(page, "payment");
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("heading", { name: words.paid.heading }).waitFor();
  await look(page, "paid");

  await page.getByRole("link", { name: words.paid.see }).click();
  await page.getByRole("heading", { name: orderWords.heading }).waitFor();
  assert.match(new URL(page.url()).hash, /^#.+/);
  await hasTickets(fan, 2);
  await page.getByRole("heading", { name: orderWords.receipt.heading }).waitFor();
  await look(page, "order");
  await page.reload();
  await hasTickets(fan, 2);
  const moved = await shiftsOfLoad(page);
  assert.ok(moved < 0.05, `the order moves by ${moved} while it is loaded`);
  await cancelsOne(fan);
  await page.goto(page.url().replace(/#.*/, "#wrong"));
  await page.reload();
  await page.getByRole("heading", { name: orderWords.refused.heading }).waitFor();
}

/** The receipt has fee and tax and prints on one page; one ticket is canceled, and what comes back is said before. */
async function cancelsOne(fan: Fan): Promise<void> {
  const { page } = fan;
  const bill = page.locator(".bill");
  const { change, receipt } = orderWords;
  await bill.getByText(receipt.fee).waitFor();
  await bill.getByText(receipt.tax("19%")).waitFor();
  const rows = await bill.locator("tbody td").allInnerTexts();
  assert.equal(rows.length, 2);
  await prints(page, "receipt", receipt.print, 1);
  await prints(page, "tickets", orderWords.print, 2);

  await fan.button(change.act).click();
  await page.getByText(change.none).waitFor();
  await page.locator('.change label:not(.all) input').first().focus();
  await page.keyboard.press("Space");
  await fan.button(change.act).click();
  const dialog = page.getByRole("dialog", { name: change.ask(1) });
  const told = (await dialog.getByText(/^You get back /).innerText()).match(/[\d.]+\d/g)!.map(Number);
  assert.ok(told.length === 2 && Math.abs(told[0]! - 0.9 * told[1]!) < 0.01 && rows[0]!.includes(told[1]!.toFixed(2)), `a tenth is kept: ${told.join(" of ")}`);
  await look(page, "order-cancel");
  await dialog.getByRole("button", { name: change.keep }).click();
  await dialog.waitFor({ state: "hidden" });
  await hasTickets(fan, 2);
  await fan.button(change.act).click();
  await dialog.getByRole("button", { name: change.yes }).click();
  await page.getByText(change.done(1)).waitFor();
  await bill.getByText(receipt.refund.refunded).waitFor();
  await page.locator('article[data-ticket="canceled"]').waitFor();
  await hasTickets(fan, 1);
  await look(page, "order-canceled");
}

/** What a button prints: that part, on so many pages at most, and nothing that can be done. */
async function prints(page: Page, part: "receipt" | "tickets", button: string, most: number): Promise<void> {
  await page.evaluate(() => (globalThis.print = () => {})); // its end never comes, so the page stays as it is printed
  await page.getByRole("button", { name: button }).click();
  await page.emulateMedia({ media: "print" });
  for (const [selector, shown] of [[".change", false], [".top", false], [".bill", part === "receipt"], [".tickets", part === "tickets"]] as const) {
    assert.equal(await page.locator(selector).isVisible(), shown, `${selector} when the ${part} is printed`);
  }
  await page.screenshot({ path: `../out/screens/order-print-${part}.png`, fullPage: true });
  const pdf = (await page.pdf({ format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } })).toString("latin1");
  const pages = pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  assert.ok(pages >= 1 && pages <= most, `the ${part} has ${pages} pages`);
  await page.emulateMedia({ media: null });
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await page.locator(".change").isVisible(), true);
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

