import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { order, sales as words, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { type Fan, until } from "./fan";
import { fits, look, settled } from "./look";
import type { Stack } from "./stack";

/** A fan buys; the organizer sees it come in, finds who it was, gives one ticket back, takes the files away, and ends the show: nothing can be bought after this. */
export async function sales(fan: Fan): Promise<void> {
  const { page, stack, context } = fan;
  const desk = await context.newPage();
  await desk.goto(`${stack.url}/desk/sales`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await look(desk, "sales-sign-in");
  await desk.goto("about:blank");
  await desk.goto(`${stack.url}/desk/sales#key=${stack.staffKey}`);
  await desk.getByRole("heading", { name: words.funnel }).waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");
  const bought = async () => Number((await desk.locator(".funnel li").last().locator("b").textContent())!.replace(/\D/g, ""));
  const before = await bought();

  await fan.arrive();
  await fan.comeIn();
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  await page.getByLabel(shop.pay.email).fill("=who@example.com");
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.see }).click();
  await hasTickets(fan, 2);

  await desk.bringToFront();
  await until(async () => (await bought()) > before, "the sale is not seen on the desk");
  await until(async () => (await desk.locator(".time rect").count()) > 0, "no bar over time");
  await look(desk, "sales", desk.locator(".heading"));
  await look(desk, "sales-map", desk.locator(".map-card"));

  await desk.getByLabel(words.email).fill("WHO@example");
  await desk.getByLabel(words.state).selectOption("paid");
  await desk.getByRole("button", { name: words.find }).press("Enter");
  await desk.locator(".orders").getByText(words.found(1, false), { exact: true }).waitFor();
  await look(desk, "sales-found", desk.locator(".orders"));
  await desk.locator(".found button").first().click();
  const box = desk.locator(".open fieldset .check").first();
  await box.waitFor();
  await desk.getByRole("button", { name: words.cancel.go }).click();
  await desk.getByText(words.cancel.nothing).waitFor();
  await box.click();
  await desk.getByLabel(words.cancel.reason).fill("a broken seat");
  await look(desk, "sales-cancel", desk.locator(".open"));
  await desk.getByRole("button", { name: words.cancel.go }).click();
  await desk.getByText(words.cancel.done).waitFor();
  await settled(desk);
  assert.equal(await desk.locator(".open ul li", { hasText: words.ticketStates.canceled! }).count(), 1, "one ticket is canceled");

  const [download] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: words.guestsFile }).click()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  assert.equal(download.suggestedFilename(), "orders.csv");
  assert.ok(text.startsWith("performance,title,") && text.includes(",'=who@example.com\r\n"), text);

  if (stack.fresh) await ends(desk, fan);
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await desk.close();
}

/** The show is postponed, put on again by somebody else, and canceled; everybody gets their money back, but for who paid at the box office. */
async function ends(desk: Page, { page, stack }: Fan): Promise<void> {
  const { standing: text, refundAll: back, settlement } = words;
  const performance = await desk.locator(".choice select").inputValue();
  const state = desk.locator(".stands", { hasText: text.performance });
  const step = (to: keyof typeof text.steps) => desk.getByRole("button", { name: text.about(text.steps[to], text.performance), exact: true });
  const dialog = desk.getByRole("dialog");
  const because = async (reason: string) => {
    await dialog.getByLabel(words.cancel.reason).fill(reason);
    await dialog.getByLabel(words.cancel.reason).press("Enter");
    await dialog.waitFor({ state: "detached" });
  };
  await atTheCounter(stack, performance);
  const before = await desk.locator(".money dl div", { hasText: words.refunded }).locator("dd").textContent();

  await state.getByText(text.shows.scheduled, { exact: true }).waitFor();
  await look(desk, "sales-state", desk.locator(".state"));
  await step("postponed").click();
  await dialog.getByText(/ good for the new day/).waitFor();
  await dialog.getByRole("button", { name: text.yes.postponed }).click();
  await dialog.getByText(words.cancel.missing).waitFor();
  await because("the singer is ill");
  await desk.getByText(text.done.performance.postponed).waitFor();
  await state.getByText(text.shows.postponed, { exact: true }).waitFor();

  await onAgain(stack, performance);
  await step("canceled").click();
  await because("the roof leaks");
  await desk.getByText(words.refusals["changed-meanwhile"]!).waitFor();
  await state.getByText(text.shows.scheduled, { exact: true }).waitFor();
  await step("canceled").click();
  await look(desk, "sales-cancel-all");
  await because("the roof leaks");
  await desk.getByText(text.done.performance.canceled).waitFor();
  assert.equal(await step("on").count(), 0, "what is canceled stays so");

  await desk.getByRole("button", { name: back.go }).click();
  await dialog.getByText(/cannot be stopped/).waitFor();
  await because("the roof leaks");
  await desk.getByText(back.over(true)).waitFor({ timeout: 30_000 });
  await desk.locator(".refused").getByText(back.why("sold-at-counter")).first().waitFor();
  await look(desk, "sales-refunded", desk.locator(".refund-all"));
  const figure = async (name: string) => Number((await desk.locator(".refund-all dl div", { hasText: name }).locator("dd").textContent())!.replace(/\D/g, ""));
  assert.ok((await figure(back.refunded)) > 0 && (await figure(back.failed)) === 0 && (await figure(back.left)) === 0, "the money is back");

  await page.reload();
  await page.getByText(`· ${order.state.canceled}`).waitFor();

  const sum = async (line: string) => desk.locator(".settlement tr", { hasText: line }).locator("td").first().textContent();
  const told = await desk.locator(".money dl div", { hasText: words.refunded }).locator("dd").textContent();
  assert.notEqual(told, before, "more has gone back");
  await until(async () => (await sum(settlement.lines.refunded)) === told, "the settlement is that of the money");
  assert.equal(await desk.locator(".settlement tr", { hasText: settlement.lines.to_refund }).count(), 0, "nothing is still to be given back");
  await look(desk, "sales-settlement", desk.locator(".settlement"));
  await fits(desk);
  const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: settlement.saleFile }).click()]);
  assert.equal(file.suggestedFilename(), "accounting.csv");
}

const asked = async <T>(stack: Stack, method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> => {
  const answer = await fetch(`${stack.url}/api/v1/organizer${path}`, {
    method,
    headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, await answer.clone().text());
  return (await answer.json()) as T;
};

/** The box office sells a ticket for cash: it is given back there. */
async function atTheCounter(stack: Stack, performance: string): Promise<void> {
  const { tiers } = (await (await fetch(`${stack.url}/api/v1/performances/${performance}`)).json()) as { tiers: { id: string }[] };
  const key = () => ({ "Idempotency-Key": crypto.randomUUID() });
  const at = `/performances/${performance}/counter`;
  const hold = await asked<{ id: string; total: object }>(stack, "POST", `${at}/holds`, { tiers: [{ tier: tiers.at(-1)!.id, quantity: 1 }] }, key());
  await asked(stack, "POST", `${at}/orders`, { hold: hold.id, tender: "cash", total: hold.total }, key());
}

/** Somebody else puts it on again, which this page does not know. */
async function onAgain(stack: Stack, performance: string): Promise<void> {
  const { events } = await asked<{ events: { version: number; performances: string[] }[] }>(stack, "GET", "/events?limit=200", undefined);
  const { version } = events.find((each) => each.performances.includes(performance))!;
  await asked(stack, "PUT", `/performances/${performance}/state?reason=well+again`, { state: "scheduled" }, { "If-Match": `"${version}"` });
}
