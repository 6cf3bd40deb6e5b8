import assert from "node:assert/strict";
import { shop as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { look } from "./look";
import { Staff } from "./staff";

/** Somebody whose card is declined again and again, who takes and gives back again and again, and whom staff block, is told why, how long, and what to do. */
export async function stopped(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  const staff = new Staff(stack);
  await fan.arrive();
  await fan.comeIn();
  const take = async () => {
    await page.getByLabel(words.tiers.quantity("Standing")).selectOption("2");
    await fan.button(words.tiers.takeFor(2, "Standing")).click();
  };
  await take();
  await fan.button(words.basket.checkout).click();
  await page.getByLabel(words.pay.email).fill("fan@example.com");
  await page.getByLabel(words.pay.methods.sandbox_declined.name).check();
  const pay = page.getByRole("button", { name: /^Pay / });
  const told = page.getByRole("alert");
  for (let tries = 0; tries < 5; tries++) {
    const answer = page.waitForResponse((r) => r.url().endsWith("/api/v1/orders"));
    await pay.click();
    assert.equal((await answer).status(), 402);
    await pay.and(page.locator(":enabled")).waitFor();
  }
  await pay.click();
  await told.filter({ hasText: /Several payments did not go through.*Please wait \d+ seconds/ }).waitFor();
  assert.equal((await fan.basketLines()).length, 2, "the places are still held");
  await look(page, "slowed-payments");

  // Who shares a network with thousands is told what else to do.
  for (const [code, says] of [["network-limit", /bought from one network.*Nothing is charged.*another network/], ["card-limit", /one card may pay.*Nothing is charged.*another card/]] as const) {
    await page.route("**/api/v1/orders", (route) => route.fulfill({ status: 409, contentType: "application/problem+json", json: { type: `urn:ropeline:problem:${code}`, title: "", status: 409, detail: "" } }));
    await pay.click();
    await told.filter({ hasText: says }).waitFor();
    await page.unroute("**/api/v1/orders");
    await pay.and(page.locator(":enabled")).waitFor();
  }
  assert.equal((await fan.basketLines()).length, 2, "the places are still held");

  await fan.button(words.pay.back).click();
  await fan.button(words.basket.drop).click();
  await page.setViewportSize({ width: 390, height: 844 });
  for (let tries = 0; ; tries++) {
    assert.ok(tries < 12, "whoever takes and gives back twelve times is slowed down");
    await take();
    const held = fan.button(words.basket.drop);
    const slowed = told.filter({ hasText: /taken places and not bought them many times.*please wait \d+ second/ });
    await held.or(slowed).first().waitFor();
    if (await slowed.isVisible()) break;
    await held.click();
    await held.waitFor({ state: "detached" });
  }
  const box = await told.first().boundingBox();
  assert.ok(box && box.y >= 0 && box.y + box.height <= 844, "on a phone it is in view, wherever the button was");
  await look(page, "slowed-holds");

  const id = await staff.block(await placeOf(fan));
  await take();
  await told.filter({ hasText: /The organizer has stopped you from buying for \d+ (minutes|hours).*reference: [0-9a-f-]{36}/ }).waitFor();
  assert.ok((await told.allInnerTexts()).some((text) => text.includes(id)), "the reference is the block's");
  await look(page, "blocked");
  await staff.lift(id);
  await take();
  await fan.button(words.basket.drop).waitFor();
}

/** The place that the admission is for. */
async function placeOf(fan: Fan): Promise<string> {
  const cookie = (await fan.context.cookies()).find((each) => each.name === `ropeline_admission_${fan.stack.sale}`);
  assert.ok(cookie, "there is an admission");
  return (JSON.parse(Buffer.from(cookie.value.split(".")[1]!, "base64url").toString()) as { sub: string }).sub;
}
