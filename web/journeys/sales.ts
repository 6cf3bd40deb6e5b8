import assert from "node:assert/strict";
import { sales as words, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { type Fan, until } from "./fan";
import { look, settled } from "./look";

/** A fan buys; the organizer sees it come in, finds who it was, gives one ticket back, and takes the files away. */
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

  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await desk.close();
}
