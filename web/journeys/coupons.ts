import assert from "node:assert/strict";
import type { Page } from "playwright-core";

import type { Coupon } from "../src/api/documents";
import { common, coupons as words, home, order as orderWords, shop, waiting } from "../src/messages/en";
import { hasTickets } from "./buy";
import { Fan } from "./fan";
import { fits, look } from "./look";
import { Staff } from "./staff";
import { type Stack, startStack } from "./stack";

/** From the shelf into the bag, to a friend, to the till and onto an order; a voucher out of a sale of its own; and every refusal on the way. */
export async function coupons(fan: Fan): Promise<void> {
  const stack = await startStack({ coupons: true, safety_net: true, seats: 60, general: 20, token_life: 300 });
  try {
    const here = new Fan(stack, fan.context, fan.page, fan.troubles);
    const staff = new Staff(stack);
    const shelf = await onShelf(stack);
    await browses(here);
    await claims(here, shelf);
    await passesOn(here, staff, shelf);
    await paysLess(here, staff, shelf);
    await buysVoucher(here, shelf);
  } finally {
    await stack.stop();
  }
}

const titles = {
  fifth: "A fifth off your tickets",
  ten: "Ten off from fifty",
  voucher: "Voucher worth sixty",
  drink: "A drink in the interval",
  gone: "Half price for students",
};
type Shelf = Record<keyof typeof titles, string>;

/** The ids of the demo's coupons. */
async function onShelf(stack: Stack): Promise<Shelf> {
  const { coupons: all } = (await (await fetch(`${stack.url}/api/v1/coupons`)).json()) as { coupons: Coupon[] };
  const id = (title: string) => all.find((each) => each.title === title)!.id;
  return Object.fromEntries(Object.entries(titles).map(([name, title]) => [name, id(title)])) as Shelf;
}

const choice = (page: Page, name: string) => page.getByRole("combobox", { name, exact: true });
const cards = (page: Page) => page.locator("a.coupon");
const copies = (page: Page, state: string) => page.locator(`article[data-copy="${state}"]`);
const piece = (page: Page, title: string) => page.locator("article.coupon").filter({ has: page.getByRole("heading", { name: title, exact: true }) });

/** What moved since the page was opened. */
const moved = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<number>((done) => {
        let sum = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!(entry as unknown as { hadRecentInput: boolean }).hadRecentInput) sum += (entry as unknown as { value: number }).value;
        }).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done(sum), 200);
      }),
  );

async function browses({ page, stack }: Fan): Promise<void> {
  await page.goto(stack.url);
  await page.getByRole("link", { name: home.coupons }).click();
  await page.getByText(words.shelf.found(7, false)).waitFor();
  assert.equal(await moved(page), 0, "the shelf moves while it is loaded");
  await look(page, "coupons");
  const product = choice(page, words.shelf.product);
  assert.ok(await product.isDisabled(), "a product is one of a shop's");

  await page.keyboard.press("Tab"); // by keyboard: to the first choice, and down to a shop
  await choice(page, words.shelf.shop).focus();
  await choice(page, words.shelf.shop).selectOption({ label: "Lantern Café" });
  await page.getByText(words.shelf.found(1, false)).waitFor();
  assert.match(page.url(), /\?shop=lantern-cafe$/);
  await choice(page, words.shelf.shop).selectOption({ label: "Ropeline Theater" });
  await choice(page, words.shelf.category).selectOption({ label: "Shows" });
  await page.getByText(words.shelf.found(4, false)).waitFor();
  await product.selectOption({ label: "Tickets" });
  await page.waitForURL(/product=tickets/);
  await page.reload();
  await page.getByText(words.shelf.found(4, false)).waitFor();
  assert.equal(await product.inputValue(), "tickets", "a reload finds what was looked for");
  await page.goBack();
  await page.waitForURL(/category=shows$/);

  await page.goto(`${stack.url}/coupons?category=balloons`);
  await page.getByText(words.shelf.noneOfThese).waitFor();
  await look(page, "coupons-empty");
  await page.route("**/api/v1/coupons**", (route) => route.abort());
  await page.getByRole("button", { name: words.shelf.clear }).click();
  await page.getByText(common.offline).waitFor();
  await look(page, "coupons-offline");
  await page.unroute("**/api/v1/coupons**");
  await page.getByText(words.shelf.found(7, false)).waitFor();
}

async function claims({ page, stack }: Fan, shelf: Shelf): Promise<void> {
  await page.goto(`${stack.url}/coupons/bag`);
  await page.getByText(words.bag.noneHere).waitFor();
  await look(page, "bag-empty");
  await page.goto(`${stack.url}/coupons/${crypto.randomUUID()}`);
  await page.getByRole("heading", { name: words.page.missing.heading }).waitFor();
  await page.goto(`${stack.url}/coupons/${shelf.gone}`);
  await page.getByText(words.page.over.none).waitFor();
  assert.equal(await page.getByRole("button", { name: words.page.claim }).count(), 0);
  await look(page, "coupon-gone");

  await page.goto(`${stack.url}/coupons`);
  await cards(page).filter({ hasText: titles.fifth }).focus();
  await page.keyboard.press("Enter");
  await page.getByText(words.page.counter(200, 200)).waitFor();
  await page.getByRole("link", { name: words.page.tickets }).waitFor();
  await look(page, "coupon");
  await page.getByRole("button", { name: words.page.claim }).click();
  const see = page.getByRole("link", { name: words.page.see });
  await see.waitFor();
  assert.ok(await see.evaluate((link) => link === document.activeElement), "the way on has the focus");
  await page.getByText(words.page.counter(199, 200)).waitFor({ timeout: 30_000 });
  await look(page, "coupon-claimed");
  await page.reload();
  await page.getByRole("button", { name: words.page.claim }).click();
  await page.getByText(words.problem.limit).waitFor();

  for (const id of [shelf.ten, shelf.drink, shelf.drink]) {
    await page.goto(`${stack.url}/coupons/${id}`);
    await page.getByRole("button", { name: words.page.claim }).click();
    await see.waitFor();
  }
  await see.click();
  await copies(page, "claimed").nth(3).waitFor();
  assert.equal(await copies(page, "claimed").count(), 4);
  await look(page, "bag");
  const fifth = piece(page, titles.fifth);
  await fifth.getByText(words.bag.code).click();
  await fifth.getByText(words.bag.history).click();
  await fifth.getByText(words.bag.entry.claimed!).waitFor();
  for (const picture of await fifth.locator("img").all()) {
    assert.ok(await picture.evaluate((img) => (img as HTMLImageElement).decode().then(() => (img as HTMLImageElement).naturalWidth > 0)), "the browser draws the code");
  }
  await look(page, "bag-code");
}

/** A friend takes a coupon by its link, and it is used at the till; another one is taken back by the shop. */
async function passesOn(fan: Fan, staff: Staff, shelf: Shelf): Promise<void> {
  const { page, stack } = fan;
  const [code = ""] = await codes(page, titles.drink);
  const friend = await fan.another(390);
  await friend.page.goto(`${stack.url}/coupons/take#${code}`);
  await friend.page.getByRole("heading", { name: words.take.heading }).waitFor();
  await look(friend.page, "coupon-take");
  await friend.button(words.bag.take).click();
  await friend.page.getByRole("link", { name: words.page.see }).click();
  await copies(friend.page, "claimed").waitFor();
  const [fresh = ""] = await codes(friend.page, titles.drink);
  assert.notEqual(fresh, code, "the code is another one in the friend's bag");
  await page.reload();
  await copies(page, "claimed").nth(2).waitFor();
  assert.equal(await copies(page, "claimed").count(), 3, "it has left the bag that it was in");
  await page.getByLabel(words.bag.codeLabel).fill(code);
  await fan.button(words.bag.take).click();
  await page.getByText(words.problem.unknown).waitFor(); // the code is void

  assert.equal(await staff.redeem(fresh, 800), 200);
  await copies(friend.page, "redeemed").waitFor({ timeout: 20_000 }); // the page looks again by itself

  // Somebody's link to a bag does not replace the bag that is here.
  const link = await friend.page.evaluate(() => localStorage.getItem("ropeline.bag"));
  await page.goto(`${stack.url}/coupons/bag#${link}`);
  await page.reload();
  await page.getByText(words.bag.other).waitFor();
  await look(page, "bag-other");
  await page.goto(`${stack.url}/coupons`);
  await page.goto(`${stack.url}/coupons/bag#nonsense`);
  await page.getByRole("heading", { name: words.bag.refused.heading }).waitFor();
  await friend.context.close();

  await staff.withdraw(shelf.drink);
  await page.goto(`${stack.url}/coupons`);
  await page.getByRole("link", { name: words.bagLink }).click();
  await copies(page, "withdrawn").waitFor();
  assert.equal(await copies(page, "claimed").count(), 2);
  await page.goto(`${stack.url}/coupons/${shelf.drink}`);
  await page.getByText(words.page.over.withdrawn).waitFor();
}

async function codes(page: Page, title: string): Promise<string[]> {
  await piece(page, title).first().waitFor();
  const letters = await piece(page, title).locator(".letters").allTextContents();
  return letters.map((each) => each.replaceAll(" ", ""));
}

/** In the shop of the tickets: what does not apply, and why; what does, and what is paid then. */
async function paysLess(fan: Fan, staff: Staff, shelf: Shelf): Promise<void> {
  const { page, stack } = fan;
  await page.goto(`${stack.url}/sales/${stack.sale}`);
  await takes(fan, "Standing", 1);
  const field = page.locator("details.lower");
  await field.getByText(words.pay.yours(1)).click();
  await field.getByText(words.pay.from("€50")).waitFor();
  await fits(page);
  await look(page, "pay-coupon");
  const code = page.getByLabel(words.pay.code);
  await code.fill("abcd");
  await code.press("Enter");
  await page.getByText(words.problem.unknown).waitFor();
  await page.getByRole("button", { name: words.pay.useThis(titles.fifth) }).click();
  await page.getByRole("button", { name: "Pay €36.00" }).waitFor();
  const off = page.getByRole("button", { name: words.pay.takeOffThis(titles.fifth) });
  await page.waitForFunction((button) => button === document.activeElement, await off.elementHandle()); // the focus is not lost
  assert.match(await page.locator(".lowered").innerText(), /€45\.00[\s\S]*A fifth off your tickets[\s\S]*-€9\.00/);
  await look(page, "pay-lowered");
  await off.click();
  await page.getByRole("button", { name: "Pay €45.00" }).waitFor();
  await page.locator("details.lower summary").click();
  await page.getByRole("button", { name: words.pay.useThis(titles.fifth) }).click();
  await page.getByRole("button", { name: "Pay €36.00" }).waitFor();
  await page.reload();
  await fan.button(shop.basket.checkout).click();
  await page.getByLabel(shop.pay.email).fill("fan@example.com");
  await page.getByLabel(shop.pay.methods.sandbox_declined.name).check();
  await page.getByRole("button", { name: "Pay €36.00" }).click();
  await page.getByText(shop.problem.declined).waitFor();
  await page.getByLabel(shop.pay.methods.sandbox_ok.name).check();
  await page.getByRole("button", { name: "Pay €36.00" }).click(); // what was told is what is paid
  await page.getByRole("heading", { name: shop.paid.heading }).waitFor();
  const bag = await page.context().newPage();
  await bag.goto(`${stack.url}/coupons/bag`);
  await copies(bag, "redeemed").waitFor();
  await piece(bag, titles.fifth).getByText(words.bag.history).click();
  await piece(bag, titles.fifth).locator(".past").getByText(words.bag.state.redeemed, { exact: true }).waitFor();
  await look(bag, "bag-redeemed");
  await page.getByRole("link", { name: shop.paid.see }).click();
  await page.getByRole("heading", { name: orderWords.heading }).waitFor();
  await page.getByText("€36.00").first().waitFor();
  await hasTickets(fan, 1);
  assert.equal(await page.getByRole("heading", { name: words.page.boughtHeading }).count(), 0, "these tickets are no coupons");

  // Two places are enough for the other one, until the shop takes it back.
  await page.goto(`${stack.url}/sales/${stack.sale}/shop`);
  await takes(fan, "Standing", 2);
  await page.locator("details.lower summary").click();
  await page.getByRole("button", { name: words.pay.useThis(titles.ten) }).click();
  await page.getByRole("button", { name: "Pay €80.00" }).waitFor();
  await bag.reload();
  await copies(bag, "reserved").waitFor();
  await bag.close();
  await staff.withdraw(shelf.ten);
  await page.getByLabel(shop.pay.email).fill("fan@example.com");
  await page.getByRole("button", { name: "Pay €80.00" }).click();
  await page.getByText(words.pay.ended).waitFor();
  assert.equal(await page.getByText(words.problem.withdrawn).count(), 1, "told once, where the coupon is");
  assert.ok(await page.getByRole("button", { name: "Pay €90.00" }).isDisabled(), "nobody pays more than they were told by the way");
  await look(page, "pay-ended");
  await page.getByRole("button", { name: words.pay.takeOffThis(titles.ten) }).click();
  await page.locator("details.lower").waitFor();
  assert.ok(await page.getByRole("button", { name: "Pay €90.00" }).isEnabled());
  await fan.button(shop.pay.back).click();
  await fan.button(shop.basket.drop).click();
  await page.getByText(shop.basket.empty).waitFor();
}

/** Holds places and goes to the payment. */
async function takes(fan: Fan, tier: string, places: number): Promise<void> {
  const { page } = fan;
  await page.waitForURL("**/shop");
  await page.getByLabel(shop.tiers.quantity(tier)).selectOption(String(places));
  await fan.button(shop.tiers.takeFor(places, tier)).click();
  await fan.button(shop.basket.checkout).click();
}

/** A coupon that costs something: through its own line, paid for, put into the bag, and used until nothing is left to pay. */
async function buysVoucher(fan: Fan, shelf: Shelf): Promise<void> {
  const { page, stack } = fan;
  await page.goto(`${stack.url}/coupons/${shelf.voucher}`);
  await page.getByText(words.page.counter(40, 40)).waitFor();
  await look(page, "coupon-drop");
  await page.getByRole("link", { name: words.page.toSale }).click();
  await takes(fan, "Voucher", 1);
  await page.getByLabel(shop.pay.email).fill("fan@example.com");
  await page.getByRole("button", { name: "Pay €45.00" }).click();
  await page.getByRole("heading", { name: shop.paid.heading }).waitFor();
  const address = (await page.getByRole("link", { name: shop.paid.see }).getAttribute("href"))!;
  await fan.button(words.page.bought).click();
  await page.getByText(words.bag.collected(1)).waitFor();
  await look(page, "paid-coupon");

  // The order's page puts it there, too, again if it must; not into somebody else's bag.
  const later = await page.context().newPage();
  await later.goto(stack.url + address);
  await later.getByRole("heading", { name: words.page.boughtHeading }).waitFor();
  assert.equal(await moved(later), 0, "the order moves while it is loaded");
  await look(later, "order-coupon");
  await later.getByRole("button", { name: words.page.bought }).focus();
  await later.keyboard.press("Enter");
  const see = later.getByRole("link", { name: words.page.see });
  await see.waitFor();
  await later.getByText(words.bag.collected(1)).waitFor();
  assert.ok(await see.evaluate((link) => link === document.activeElement), "the way on has the focus");
  await look(later, "order-collected");
  await later.close();
  const other = await fan.another(390);
  await other.page.goto(stack.url + address);
  await other.button(words.page.bought).click();
  await other.page.getByText(words.problem.collected).waitFor();
  await look(other.page, "order-collected-elsewhere");
  await other.context.close();
  await page.getByRole("link", { name: words.page.see }).click();
  await piece(page, titles.voucher).waitFor();

  await piece(page, titles.voucher).getByRole("link", { name: words.bag.tickets }).click();
  await page.getByText(waiting.active.shop).click(); // who is in already is not sent on
  await takes(fan, "Standing", 1);
  await page.locator("details.lower summary").click();
  await page.getByRole("button", { name: words.pay.useThis(titles.voucher) }).click();
  await page.getByText(words.pay.nothing).waitFor();
  await page.getByLabel(shop.pay.email).fill("fan@example.com");
  await look(page, "pay-nothing");
  await fan.button(words.pay.free).click();
  await page.getByRole("heading", { name: shop.paid.heading }).waitFor();
  await page.goto(`${stack.url}/coupons/bag`);
  await piece(page, titles.voucher).and(copies(page, "redeemed")).waitFor();
}
