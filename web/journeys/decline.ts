import assert from "node:assert/strict";
import { shop as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import type { Fan } from "./fan";
import { look } from "./look";

/** Standing places; a declined card leaves them held, so does a bank that says no, or nothing, and another card buys them. */
export async function decline(fan: Fan): Promise<void> {
  const { page } = fan;
  await fan.arrive();
  await fan.comeIn();
  await page.getByLabel(words.tiers.quantity("Standing")).selectOption("3");
  await fan.button(words.tiers.takeFor(3, "Standing")).click();
  await fan.button(words.basket.checkout).click();

  const pay = page.getByRole("button", { name: /^Pay / });
  await page.getByLabel(words.pay.email).fill("no address");
  await pay.click();
  await page.getByText(words.problem.email).waitFor();

  await page.getByLabel(words.pay.email).fill("fan@example.com");
  await page.getByLabel(words.pay.methods.sandbox_declined.name).check();
  await pay.click();
  await page.getByText(words.problem.declined).waitFor();
  assert.equal((await fan.basketLines()).length, 3, "the places are still held");
  await look(page, "declined");

  await fan.payAsked("No");
  await page.getByText(words.problem.declined).waitFor();
  assert.equal((await fan.basketLines()).length, 3, "the places are still held");
  await page.getByLabel(words.pay.methods.sandbox_action.name).check();
  await pay.click();
  await page.getByRole("heading", { name: "Sandbox bank" }).waitFor();
  await look(page, "bank");
  await page.goBack();
  await page.getByText(words.pay.waits).waitFor();
  await page.getByRole("link", { name: words.pay.confirm }).waitFor();
  await look(page, "bank-waits");

  await page.getByLabel(words.pay.methods.sandbox_slow.name).check();
  await pay.click();
  await fan.button(words.pay.paying).waitFor();
  await page.getByRole("link", { name: words.paid.see }).click();
  await hasTickets(fan, 3);
}
