import assert from "node:assert/strict";
import { shop as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import type { Fan } from "./fan";
import { look } from "./look";

/** A stand-in for what js.stripe.com serves: a frame-less field, and tokens that our sandbox takes. */
const stripe = `
window.Stripe = (key, options) => {
  window.opened = { key, account: options.stripeAccount };
  let input;
  return {
    elements: () => ({ create: () => ({
      mount(into) { input = document.createElement("input"); input.setAttribute("aria-label", "Card number"); into.append(input); },
      destroy() { input.remove(); },
      on(event, told) { if (event === "ready") setTimeout(told); else input?.addEventListener("input", told); },
    }) }),
    createPaymentMethod: async ({ card, billing_details }) => {
      window.asked = [...(window.asked ?? []), billing_details.email];
      return input.value === "4242" ? { paymentMethod: { id: "sandbox_action" } } : { error: { message: "Your card number is incomplete." } };
    },
  };
};`;

/** Stripe's fields instead of test cards: loaded from Stripe alone, with the organizer's account, and no number reaches us. */
export async function card(fan: Fan): Promise<void> {
  const { page } = fan;
  const sent: string[] = [];
  page.on("request", (request) => void sent.push(`${request.url()} ${request.postData() ?? ""}`));
  await page.route("**/api/v1/performances/*/payment", (route) => route.fulfill({ json: { provider: "stripe", publishable_key: "pk_test_1", account: "acct_7" } }));
  let away = true;
  await page.route("https://js.stripe.com/**", (route) => (away ? route.abort() : route.fulfill({ contentType: "text/javascript", body: stripe })));
  await fan.arrive();
  await fan.comeIn();
  await page.getByLabel(words.tiers.quantity("Standing")).selectOption("2");
  await fan.button(words.tiers.takeFor(2, "Standing")).click();
  assert.equal(sent.filter((each) => each.includes("stripe.com")).length, 0, "nothing is asked of Stripe before it is needed");
  await fan.button(words.basket.checkout).click();

  await page.getByText(words.pay.noFields).waitFor();
  const pay = page.getByRole("button", { name: /^Pay / });
  assert.ok(await pay.isDisabled(), "nobody pays without a card");
  await look(page, "card-missing");
  away = false;
  await fan.button(words.pay.again).click();
  await page.getByLabel("Card number").waitFor();
  assert.deepEqual(await page.evaluate("window.opened"), { key: "pk_test_1", account: "acct_7" });
  await page.getByLabel(words.pay.email).fill("fan@example.com");
  await look(page, "card");

  await page.getByLabel("Card number").fill("42");
  await pay.click();
  await page.getByText("Your card number is incomplete.").waitFor();
  await page.getByLabel("Card number").fill("4242");
  await pay.click();
  await page.getByRole("heading", { name: "Sandbox bank" }).waitFor();
  await page.getByRole("button", { name: /^Yes/ }).click();
  await page.getByRole("link", { name: words.paid.see }).click();
  await hasTickets(fan, 2);
  assert.equal(sent.filter((each) => each.includes("4242") && !each.includes("stripe.com")).length, 0, "the number reached us");
}
