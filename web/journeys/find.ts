import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Found } from "../src/api/documents";
import { account, common, home as words, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { Fan, until } from "./fan";
import { lettersTo, linkTo } from "./letters";
import { fits, hold, look, movedInLoad, settled, shiftsOfLoad } from "./look";
import { startStack } from "./stack";

const password = "seven lanterns over water";

/** A fan who mistypes a name finds the show, makes an account, buys, and finds the order there. */
export async function find(fan: Fan): Promise<void> {
  // A title is text, whatever stands in it.
  const stack = await startStack({ title: "The Lanterns <b>winter</b> tour", coupons: true, safety_net: true, seats: 60, general: 20, token_life: 300 });
  try {
    const here = new Fan(stack, fan.context, fan.page, fan.troubles);
    await listed(here); // what is on is found a few seconds after it was made
    await frontPage(here);
    await looksAround(here);
    await places(here);
    await types(here);
    const event = await wishes(here);
    await registers(here);
    await follows(here);
    const sale = await announces(here, event);
    await buys(here);
    await isTold(here, sale);
  } finally {
    await stack.stop();
  }
}

const card = (page: Page, name: string | RegExp) => page.locator("a.entry").filter({ has: page.getByRole("heading", { name }) });
const told = (page: Page) => page.locator(".told");

async function narrow(page: Page): Promise<void> {
  const before = page.viewportSize()!;
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
  await fits(page);
  await page.evaluate(() => (document.documentElement.style.fontSize = ""));
  await page.setViewportSize(before);
}

async function listed({ stack }: Fan): Promise<void> {
  await until(async () => {
    const found = (await (await fetch(`${stack.url}/api/v1/search?q=lanterns&kind=event`)).json()) as Found;
    return found.entries.length >= 4;
  }, "the demo is found");
}

async function frontPage({ page, stack, context }: Fan): Promise<void> {
  await page.goto(stack.url);
  await card(page, /Winter's Tale/).first().waitFor();
  await page.getByRole("heading", { name: words.soon }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the front page moves while it is loaded");
  assert.equal(await page.locator("main b", { hasText: /^winter$/ }).count(), 0, "a title is markup");
  await page.locator(".sign", { hasText: "<b>winter</b>" }).waitFor();
  await look(page, "home");
  await look(page, "home-below", page.getByRole("heading", { name: words.near }));
  await narrow(page);

  await page.getByRole("button", { name: words.nearGo }).click(); // nobody has allowed it
  await page.getByText(words.nearRefused).waitFor();
  await context.grantPermissions(["geolocation"]);
  await context.setGeolocation({ latitude: 38.9, longitude: -9.2 });
  const asked = page.waitForRequest(/search\?.*near=/);
  await page.getByRole("button", { name: words.nearGo }).click();
  assert.match(decodeURIComponent((await asked).url()), /near=38\.90,-9\.20&/, "where somebody is is told to a kilometer");
  await page.getByText("away", { exact: false }).first().waitFor();

  await page.route("**/api/v1/listing", (route) => route.abort());
  await page.reload();
  await page.getByText(common.offline).waitFor();
  await page.locator(".sign").first().waitFor(); // the ways into the lines are there all the same
  await page.unroute("**/api/v1/listing");
  await card(page, /Winter's Tale/).first().waitFor({ timeout: 30_000 });
}

async function looksAround({ page, stack }: Fan): Promise<void> {
  await page.goto(`${stack.url}/search`);
  await card(page, /Winter's Tale/).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the search moves while it is loaded");
  await page.getByText(words.search.filters).click();
  await page.getByLabel(words.search.category).selectOption({ label: "Theater" });
  await told(page).filter({ hasText: words.search.found(1, false) }).waitFor();
  assert.match(page.url(), /\?category=theater$/);
  await look(page, "search-filters");
  await narrow(page);
  await page.reload();
  await told(page).filter({ hasText: words.search.found(1, false) }).waitFor();
  assert.equal(await page.getByLabel(words.search.category).inputValue(), "theater", "a reload finds what was looked for");
  await page.getByLabel(words.search.city, { exact: true }).fill("lisboa");
  await page.getByLabel(words.search.city, { exact: true }).press("Enter");
  await told(page).filter({ hasText: words.search.nothingLess }).waitFor();
  await look(page, "search-nothing");
  await page.getByRole("button", { name: words.search.clear }).click();
  await card(page, "The Paper Lanterns").first().waitFor();

  const [least, most] = [page.getByLabel(words.search.atLeast), page.getByLabel(words.search.atMost)];
  await most.fill("1");
  await most.press("Enter");
  await told(page).filter({ hasText: words.search.nothingLess }).waitFor();
  assert.match(page.url(), /price_to=100&currency=EUR/);
  await least.fill("2");
  await least.press("Tab");
  await page.locator(".wrong.told").filter({ hasText: "below the lowest" }).waitFor();
  await most.fill("");
  await most.press("Enter");
  await card(page, /Winter's Tale/).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("price_from"), "200");
  await least.fill("9999999");
  await least.press("Enter");
  await told(page).filter({ hasText: words.search.nothingLess }).waitFor();
  await least.fill("cheap");
  await least.press("Enter");
  await page.getByText(words.search.priceWrong).waitFor();
  assert.equal(await least.inputValue(), "cheap", "what was typed is there to be mended");
  await least.fill("");
  await least.press("Enter");
  await page.waitForURL(/\/search$/);
  await card(page, "The Paper Lanterns").first().waitFor();
  await page.getByLabel(words.search.country).focus();
  await page.keyboard.type("Portugal");
  await page.waitForURL(/\?country=PT$/);
  await card(page, /Winter's Tale/).waitFor({ state: "detached" });
  await card(page, "The Paper Lanterns").first().waitFor();
  await look(page, "search-country");
  await narrow(page);
  await page.goto(`${stack.url}/search?near=38.72,-9.14&radius=50`);
  await card(page, "The Paper Lanterns").waitFor();
  await page.getByText("away", { exact: false }).first().waitFor();
  assert.equal(await page.locator("a.entry").count(), 1);
  await page.getByLabel(words.search.within).selectOption("");
  await page.waitForURL(/\/search$/);
  await page.goto(`${stack.url}/search?from=2026-02-30`); // a day that no calendar has
  await page.locator(".wrong.told").filter({ hasText: /day/i }).waitFor();
}

/** From an event to who plays it, where, and on which tour: times are those of the venue. */
async function places(mine: Fan): Promise<void> {
  const { page, stack } = mine;
  await page.goto(`${stack.url}/search?city=New+York`);
  await card(page, "The Paper Lanterns").click();
  await page.getByRole("heading", { level: 1, name: "The Paper Lanterns" }).waitFor();
  const shows = page.locator("li.show");
  assert.equal(await shows.count(), 3);
  assert.match(await shows.first().locator(".at").innerText(), /19:30|7:30/, "by the clocks in New York");
  await shows.first().getByText(words.event.notYet).waitFor();
  await page.locator('.left[data-left="many"]').nth(2).waitFor();
  await look(page, "event");
  for (const width of [390, 1280]) await comesLate(await mine.another(width), page.url());
  await narrow(page);
  await page.getByRole("link", { name: "Lights Across the Water" }).click();
  await page.locator('article[data-told="tour"]').waitFor();
  assert.equal(await page.locator("li.show").count(), 6);
  await look(page, "tour");
  await narrow(page);
  await page.getByRole("link", { name: /^Coliseu do Tejo/ }).first().click();
  await page.locator('article[data-told="venue"]').waitFor();
  assert.equal(await page.locator("li.show").count(), 2);
  await page.getByRole("link", { name: words.venue.map }).waitFor();
  await look(page, "venue");
  await narrow(page);
  await page.getByRole("link", { name: "The Paper Lanterns" }).first().click();
  await page.locator(".who a").first().click();
  await page.locator('article[data-told="performer"]').waitFor();
  await page.getByRole("link", { name: words.follow.signIn }).waitFor();
  await look(page, "performer");
  await narrow(page);
  await page.goto(`${stack.url}/events/${crypto.randomUUID()}`);
  await page.getByRole("heading", { name: words.missing.heading }).waitFor();
  await look(page, "event-missing");
}

/** Nothing at a page of an event moves when it is known who reads, what is left and what is said of it. */
async function comesLate({ page, context }: Fan, event: string): Promise<void> {
  const gates = [];
  for (const address of [/\/me\/events\//, /\/availability$/, /\/posts\b/]) gates.push(await hold(page, address));
  await page.goto(event);
  await page.locator("li.show").first().waitFor();
  for (const { asked, open } of gates) {
    await settled(page);
    await asked;
    open();
  }
  await page.getByText(words.watch.off).waitFor();
  await page.locator('.left[data-left="many"]').nth(2).waitFor();
  await settled(page);
  const moved = await movedInLoad(page);
  assert.equal(moved.value, 0, `the event moves: ${moved.of}`);
  await context.close();
}

/** By keyboard: what is suggested while typing, and what is found of a word that nobody has. */
async function types({ page, stack }: Fan): Promise<void> {
  await page.goto(stack.url);
  const field = page.getByRole("combobox", { name: words.search.label });
  await field.pressSequentially("paper lant", { delay: 20 });
  const options = page.getByRole("option");
  await options.first().waitFor();
  await look(page, "home-suggestions");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.getByRole("option", { selected: true }).count(), 1);
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.getByRole("option", { selected: true }).count(), 0);
  await page.keyboard.press("Escape");
  await options.first().waitFor({ state: "hidden" });

  await field.fill("lantrens wintre");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/search\?q=lantrens/);
  await told(page).filter({ hasText: words.search.corrected("lanterns winter") }).waitFor();
  await look(page, "search");
  await narrow(page);
  await card(page, /^The Lanterns/).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "The Lanterns <b>winter</b> tour" }).waitFor();
  await page.getByText(words.event.prices).first().click();
  await page.locator(".prices table").waitFor();
  await look(page, "event-on-sale");
}

const wisher = "wisher@example.com";

/** Who has no account leaves an address; the page of the letter's link asks first, and says what is done. */
async function wishes({ page, stack }: Fan): Promise<string> {
  const [event, email] = [page.url(), wisher];
  await page.getByText(words.watch.off).click();
  await look(page, "event-wish", page.getByLabel(words.wish.email));
  await page.getByLabel(words.wish.email).fill(email);
  await page.getByRole("button", { name: words.wish.send }).click();
  await page.getByText(words.wish.sent(email)).waitFor();
  await look(page, "event-wished", page.getByLabel(words.wish.email));
  await narrow(page);
  let link: string | undefined;
  await until(async () => {
    link = /http\S+\/events\/wishes\/\S+/.exec((await lettersTo(stack, email))[0]?.text ?? "")?.[0];
    return link !== undefined;
  }, "the letter that asks comes");
  await page.goto(link!);
  await look(page, "wish-asked");
  await page.getByRole("button", { name: "Yes, tell me" }).click();
  await page.getByRole("heading", { name: "We tell you" }).waitFor();
  await look(page, "wish-taken");
  await narrow(page);
  await page.goto(event);
  return event;
}

/** Staff has the same event on once more, in a sale whose waiting room closes in two hours. */
async function announces({ stack }: Fan, event: string): Promise<string> {
  const ask = async (method: string, path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${stack.url}/api/v1/organizer${path}`, { method, headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });
    assert.ok(answer.ok, await answer.clone().text());
    return answer.json();
  };
  const map = { format: "ropeline-venue/1", name: "Gasometer", categories: ["Floor"], sections: [], areas: [{ name: "Floor", category: "Floor", places: 200, x: 0, y: 0, width: 10, height: 5 }] };
  const venue = await ask("POST", "/venues", map, { "Idempotency-Key": "gasometer" });
  await ask("PUT", `/venues/${venue.id}/details?reason=where+it+is`, { time_zone: "Europe/Vienna" }, { "If-Match": '"1"' });
  const [sale, hour] = ["lanterns-again", 3_600_000];
  const at = (hours: number) => new Date(Date.now() + hours * hour).toISOString();
  const program = {
    event_id: new URL(event).pathname.split("/").at(-1),
    currency: "EUR",
    performances: [{ venue: venue.id, local: { starts_at: `${at(60 * 24).slice(0, 10)}T20:00` }, prices: { Floor: 4500 } }],
    sale: { id: sale, title: "The Lanterns, once more", lobby_closes_at: at(2), opens_at: at(2.1), ends_at: at(24 * 30), cap: 50, rate: 60, claim_window: 60, token_life: 60, session_max: 1800, hold: 600, hold_extensions: 1, units_per_hold: 6 },
  };
  const made = await ask("PUT", `/programs/${sale}`, program, { "If-None-Match": "*" });
  await ask("PUT", `/sales/${sale}/publication`, { version: made.sale.version, reason: "many have asked" });
  return sale;
}

/** They have one letter of it, and its link is the waiting room. */
async function isTold({ page, stack }: Fan, sale: string): Promise<void> {
  const link = `${stack.url}/sales/${sale}`;
  const told = async () => (await lettersTo(stack, wisher)).filter((each) => each.text.includes(link));
  await until(async () => (await told()).length > 0, "the letter that a sale opens", 40_000); // looked for every 20 s
  const [letter, ...more] = await told();
  assert.equal(more.length, 0, "one letter of a sale");
  assert.match(letter!.subject, /The Lanterns <b>winter<\/b> tour/);
  assert.match(letter!.text, /\/events\/wishes\/\S+leave/);
  await page.goto(new RegExp(`${link}\\S*`).exec(letter!.text)![0]);
  await page.locator(".sign", { hasText: "The Lanterns, once more" }).waitFor();
  await look(page, "wish-told");
  await narrow(page);
}

async function registers({ page, stack }: Fan): Promise<void> {
  const event = page.url();
  await page.getByRole("link", { name: words.account }).click();
  await page.getByRole("link", { name: account.signIn.signUp, exact: true }).click();
  await page.getByLabel(account.email).fill("finder@example.com");
  await page.getByLabel(account.password).fill(password);
  await page.getByRole("button", { name: account.signUp.submit }).click();
  await page.getByRole("heading", { name: account.sent.heading }).waitFor();
  await page.goto(await linkTo(stack, "finder@example.com", "confirm"));
  await page.getByLabel(account.password).fill(password);
  await page.getByRole("button", { name: account.confirm.submit }).click();
  await page.getByText(account.orders.none).waitFor();
  await page.goto(event);
}

/** Whom a fan follows stands in their account. */
async function follows({ page, stack }: Fan): Promise<void> {
  const event = page.url();
  await page.goto(`${stack.url}/search?kind=performer&q=paper`);
  await card(page, "The Paper Lanterns").click();
  await page.getByRole("button", { name: words.follow.offOf("The Paper Lanterns") }).press("Enter");
  const followed = page.getByRole("button", { name: words.follow.onOf("The Paper Lanterns") });
  await followed.waitFor();
  await page.reload();
  await followed.waitFor();
  await look(page, "performer-followed");
  await page.goto(`${stack.url}/account/following`);
  await page.getByRole("link", { name: "The Paper Lanterns" }).waitFor();
  await look(page, "account-following");
  await narrow(page);
  await page.getByRole("button", { name: account.following.letGoOf("The Paper Lanterns") }).click();
  await page.getByRole("link", { name: "The Paper Lanterns" }).waitFor({ state: "detached" });
  await page.reload();
  await page.getByText(account.following.none).waitFor();
  await page.goto(event);
}

async function buys(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  const left = page.locator(".left").first();
  await left.filter({ hasText: words.event.left.many }).waitFor();
  await page.getByRole("link", { name: new RegExp(`^${words.event.ticketsFor("").trim()}`) }).first().click();
  await page.waitForURL("**/shop");
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  await page.getByText(shop.pay.account("finder@example.com")).waitFor();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.mine }).click();
  await page.getByRole("heading", { name: account.orders.unused }).waitFor();
  await page.locator('a[data-order="unused"]').filter({ hasText: "<b>winter</b>" }).click();
  await hasTickets(fan, 2);
  assert.ok(page.url().startsWith(`${stack.url}/orders/`));
}
