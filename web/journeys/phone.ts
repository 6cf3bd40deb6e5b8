import assert from "node:assert/strict";
import { shop as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import { carries } from "./carry";
import type { Fan } from "./fan";
import { settled } from "./look";

/** With fingers on a small screen: the first tap zooms in, the next ones pick, the way on stays in sight, and the tickets are carried to the door. */
export async function phone(fan: Fan): Promise<void> {
  const { page } = fan;
  await fan.arrive();
  await fan.comeIn();
  const map = page.locator("canvas");
  const box = await map.boundingBox();
  assert.ok(box);
  const tap = (x: number, y: number) => page.touchscreen.tap(box.x + box.width * x, box.y + box.height * y);
  assert.equal(await map.evaluate((canvas) => getComputedStyle(canvas).touchAction), "pan-y", "the whole map lets the page scroll");
  await tap(0.5, 0.35);
  await page.waitForFunction(() => getComputedStyle(document.querySelector("canvas")!).touchAction === "none");
  assert.equal(await page.locator(".lines li").count(), 0, "the tap that zooms picks nothing");
  await page.getByText(words.basket.empty).waitFor();

  const picked = page.locator(".lines li");
  for (let x = 0.1; x < 0.95 && (await picked.count()) < 2; x += 0.07) {
    await tap(x, 0.5); // where seats are taken, nothing happens
    await settled(page);
  }
  const hold = fan.button(words.basket.hold(2));
  await hold.waitFor();
  const place = await hold.boundingBox();
  const height = page.viewportSize()!.height;
  assert.ok(place && place.y >= 0 && place.y + place.height <= height, "the button is on the screen without scrolling");
  await hold.tap();
  await fan.button(words.basket.checkout).tap();
  await page.getByRole("heading", { name: words.pay.heading }).waitFor();
  await fan.button(words.pay.back).tap();
  await fan.button(words.basket.checkout).tap();
  await fan.payAsked("Yes");
  await page.getByRole("heading", { name: words.paid.heading }).waitFor();
  await page.getByRole("link", { name: words.paid.see }).tap();
  await hasTickets(fan, 2);
  await carries(fan);
}
