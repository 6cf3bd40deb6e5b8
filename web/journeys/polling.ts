import assert from "node:assert/strict";
import { waiting as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { Crowd, Staff } from "./staff";

/** A network that lets no WebSocket through: the page asks now and then, and the turn still comes. */
export async function polling(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { page } = fan;
  const { cap } = await staff.live();
  const crowd = new Crowd(fan.stack);
  await staff.cap(0);
  try {
    await fan.outlastTheDraw();
    await page.routeWebSocket(/\/place\/live$/, (socket) => void socket.close({ code: 1011 }));
    await crowd.join(3);
    await fan.arrive();
    await fan.sees("waiting");
    await page.locator('.link[data-link="polling"]').waitFor();
    assert.equal(await page.locator(".link").innerText(), words.link.polling);
    const before = await fan.position();
    await crowd.leave(3);
    await page.locator('[data-scene="waiting"] h1 > span').first().filter({ hasText: String(before - 3) }).waitFor();

    await fan.context.setOffline(true);
    await page.locator('.link[data-link="lost"]').waitFor({ timeout: 40_000 });
    await page.getByText(words.lostNote).waitFor();
    await fan.context.setOffline(false);
    await page.locator('.link[data-link="polling"]').waitFor({ timeout: 40_000 });
  } finally {
    await staff.cap(cap);
  }
  await fan.sees("offered");
}
