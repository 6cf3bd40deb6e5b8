import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import type { Page, Route } from "playwright-core";
import { counter as words, shop as shopWords } from "../src/messages/en";
import type { Fan } from "./fan";
import { look, settled } from "./look";

const today = "**/counter/takings?*";

/** The box office sells by keyboard, by seat and from a reserve, loses answers and sells once, prints, gives back and counts the till. */
export async function counter(fan: Fan): Promise<void> {
  const { page: desk, stack } = fan;
  await desk.goto(`${stack.url}/counter`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await look(desk, "counter-sign-in");
  await desk.goto("about:blank");
  await desk.goto(`${stack.url}/counter#key=${stack.staffKey}`);
  await desk.getByRole("heading", { name: words.tiers }).waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");
  await keptForTheCounter(desk, stack.url, stack.staffKey);

  // A number, Enter, Enter, Enter: two tickets, and the next sale.
  await desk.locator(".tiers input").first().fill("2");
  await desk.keyboard.press("Enter");
  await desk.getByText(words.held(2)).waitFor();
  await focusedOn(desk, words.tender.cash);
  await look(desk, "counter-held");
  await desk.keyboard.press("Enter");
  await desk.getByRole("heading", { name: words.sold(2) }).waitFor();
  await desk.locator(".tickets img").nth(1).waitFor();
  await focusedOn(desk, words.next);
  await look(desk, "counter-sold");
  await prints(desk);
  await desk.getByRole("button", { name: words.next }).press("Enter"); // what is not printed has lost the focus
  await settled(desk);
  assert.equal(await desk.evaluate(() => document.activeElement?.getAttribute("name")), "quantity", "the next sale begins");

  // Escape gives back.
  await desk.keyboard.press("Enter");
  await desk.getByText(words.held(1)).waitFor();
  await focusedOn(desk, words.tender.cash);
  await desk.keyboard.press("Escape");
  await desk.getByText(words.dropped).waitFor();

  // By seat, in the list; the answer is lost, and comes when it is asked for again.
  await desk.getByRole("button", { name: shopWords.view.list }).click();
  await desk.locator(".list summary").last().click();
  const free = desk.locator(".seats button[aria-disabled=false][aria-pressed=false]");
  await free.first().click();
  await free.first().click();
  await desk.getByRole("button", { name: words.takePicked(2) }).click();
  await desk.getByText(words.held(2)).waitFor();
  await desk.reload(); // in the middle of a sale: what is held is held still
  await desk.getByText(words.held(2)).waitFor();
  await focusedOn(desk, words.tender.cash);
  const keys = await losing(desk, 1);
  await tender(desk, words.tender.terminal);
  await desk.getByRole("heading", { name: words.sold(2) }).waitFor();
  assert.equal(new Set(keys).size, 1, "asked again under the same key");
  await desk.getByRole("button", { name: words.next }).click();

  // All answers are lost, and the page is loaded again: it is sold once.
  await desk.locator(".tiers input").last().fill("3");
  await desk.keyboard.press("Enter");
  await desk.getByText(words.held(3)).waitFor();
  const lost = await losing(desk, 4);
  await tender(desk, words.tender.cash);
  await desk.getByRole("button", { name: words.again }).and(desk.locator("[aria-disabled=false]")).waitFor();
  await desk.getByRole("alert").getByText(words.unclear).waitFor();
  await look(desk, "counter-unclear");
  await desk.unroute("**/counter/orders");
  await desk.reload();
  await desk.getByRole("button", { name: words.again }).click();
  await desk.getByRole("heading", { name: words.sold(3) }).waitFor();
  assert.equal(lost.length, 4);
  assert.equal(new Set(lost).size, 1, "the same sale each time");
  assert.deepEqual(await orders(desk), { cash: 2, terminal: 1 }, "each sale is one order");

  // Some of it is given back.
  await desk.getByText(words.cancel.heading).click();
  await desk.getByRole("button", { name: words.cancel.cash }).click();
  await desk.getByText(words.cancel.missing).waitFor();
  await desk.locator(".cancel [type=checkbox]").first().uncheck();
  await desk.getByLabel(words.cancel.reason).fill("ill");
  await desk.getByLabel(words.cancel.full).check();
  await look(desk, "counter-cancel");
  await desk.getByRole("button", { name: words.cancel.cash }).click();
  await desk.getByText(words.cancel.done).waitFor();
  assert.equal(await desk.locator(".tickets li").count(), 1, "one ticket is valid still");
  await desk.getByRole("button", { name: words.next }).click();

  // From what is kept, for nothing.
  await desk.getByLabel(words.from).selectOption("Box office");
  await desk.getByText(words.kept(5)).waitFor();
  await desk.locator(".tiers input").first().fill("2");
  await desk.keyboard.press("Enter");
  await desk.getByText(words.held(2)).waitFor();
  await tender(desk, words.tender.complimentary);
  await desk.getByRole("heading", { name: words.sold(2) }).waitFor();
  await desk.getByText(words.discount).waitFor();
  await desk.getByRole("button", { name: words.next }).click();
  await desk.getByLabel(words.from).selectOption("");
  await look(desk, "counter");

  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByRole("heading", { name: words.signIn.heading }).waitFor();
}

const tender = (desk: Page, name: string) => desk.locator(".tenders button", { hasText: name }).click();

async function focusedOn(desk: Page, text: string): Promise<void> {
  await settled(desk);
  const focused = await desk.evaluate(() => (document.activeElement?.tagName === "BUTTON" && document.activeElement.textContent) || "");
  assert.ok(focused.includes(text), `the focus is on ${JSON.stringify(focused)}, not on ${text}`);
}

/** Five places are kept for the box office, and the page is loaded with them. */
async function keptForTheCounter(desk: Page, url: string, key: string): Promise<void> {
  const performance = await desk.getByLabel(words.performance).inputValue();
  const answer = await fetch(`${url}/api/v1/organizer/performances/${performance}/reserves?reason=journey`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify({ name: "Box office", kind: "boxoffice", area: "Standing", places: 5 }),
  });
  assert.equal(answer.status, 201, await answer.text());
  await desk.reload();
  await desk.getByRole("heading", { name: words.tiers }).waitFor();
}

/** The next so many sales reach the server, and their answers get lost on the way. */
async function losing(desk: Page, times: number): Promise<string[]> {
  const keys: string[] = [];
  const lose = async (route: Route) => {
    keys.push(route.request().headers()["idempotency-key"] ?? "");
    await route.fetch();
    await route.abort();
  };
  await desk.route("**/counter/orders", lose, { times });
  return keys;
}

/** How many orders the takings have, by how they were paid. */
async function orders(desk: Page): Promise<Record<string, number>> {
  const [answer] = await Promise.all([desk.waitForResponse(today), desk.getByRole("button", { name: words.refresh }).click()]);
  const { takings } = (await answer.json()) as { takings: { tender: string; orders: number }[] };
  return Object.fromEntries(takings.map((each) => [each.tender, each.orders]));
}

/** On paper there is the receipt, and a ticket a block, and nothing else. */
async function prints(desk: Page): Promise<void> {
  await desk.emulateMedia({ media: "print" });
  await settled(desk);
  await desk.screenshot({ path: join(resolve("..", "out", "screens"), "counter-print.png"), fullPage: true });
  for (const gone of [".top", ".tiers", ".takings", ".choices"]) assert.ok(!(await desk.locator(gone).first().isVisible()), `${gone} is printed`);
  for (const there of [".paper", ".tickets"]) assert.ok(await desk.locator(there).isVisible(), `${there} is not printed`);
  await desk.emulateMedia({ media: null });
}
