import assert from "node:assert/strict";
import type { Fan } from "./fan";
import { look, shifts, watchShifts } from "./look";
import { Crowd, Staff } from "./staff";

/** The line moves, the numbers change, and nothing on the page jumps. */
export async function queue(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { page } = fan;
  const { cap } = await staff.live();
  const crowd = new Crowd(fan.stack);
  await staff.cap(0);
  try {
    await crowd.join(120);
    await fan.arrive();
    await fan.sees("waiting");
    const first = await fan.position();
    assert.ok(first >= 120, `behind everybody who joined before: ${first}`);
    await look(page, "waiting");
    await watchShifts(page);
    const number = page.locator('[data-scene="waiting"] h1 > span').first();
    let last = first;
    // Past 100, where the number loses a digit.
    for (const fans of [1, 1, 30, 1, 60]) {
      await crowd.leave(fans);
      await number.filter({ hasText: String(last - fans) }).waitFor();
      last = await fan.position();
    }
    assert.equal(last, first - 93);
    assert.equal(await shifts(page), 0, "layout shift while numbers change");
    await page.evaluate(() => document.querySelector<HTMLElement>("main")!.style.setProperty("padding-block-start", "90px"));
    assert.ok((await shifts(page)) > 0, "the measurement sees a shift when there is one");

    const second = await fan.secondTab();
    await second.sees("waiting");
    assert.equal(await second.position(), last, "a second tab shows the same place");
    await page.reload();
    await fan.sees("waiting");
    assert.equal(await fan.position(), last, "a reload keeps the place");
    await crowd.leave(120);
  } finally {
    await staff.cap(cap);
  }
  await fan.sees("offered");
}
