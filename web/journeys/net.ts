import assert from "node:assert/strict";
import { home, waiting } from "../src/messages/en";
import { Fan } from "./fan";
import { look } from "./look";
import { Crowd } from "./staff";
import { startStack } from "./stack";

/** A room where nobody waits until the shop is full: straight in, and first come, first served when it is. */
export async function net(fan: Fan): Promise<void> {
  const stack = await startStack({ safety_net: true, cap: 2, token_life: 300 });
  try {
    const mine = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    const crowd = new Crowd(stack);
    const plain = await mine.another(390);
    await plain.page.goto(`${plain.room}?plain`);
    await plain.button("Come in").waitFor();
    assert.doesNotMatch(await plain.page.locator("main").innerText(), /\bline\b|\bturn\b|\blot\b|opens/i, "no line is promised");
    await look(plain.page, "net-plain");

    // Nothing of a waiting room is ever drawn on the way in.
    await page.addInitScript(() => {
      const seen = () => document.querySelector("[data-scene]") && sessionStorage.setItem("seen", document.querySelector("main")!.innerText);
      new MutationObserver(seen).observe(document, { subtree: true, childList: true, attributes: true });
    });
    await page.goto(stack.url);
    await page.getByText(home.phase.open).waitFor();
    await page.locator(".sales a").filter({ hasText: /Lanterns/ }).click();
    await page.waitForURL("**/shop");
    await page.locator(".tiers").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.getItem("seen")), null, "a waiting room flashed by");
    await page.goBack(); // not into a room that sends on again
    await page.getByRole("heading", { name: home.heading }).waitFor();

    await crowd.join(1); // the second slot is taken: whoever comes now waits
    const late = await mine.another(390);
    await late.arrive();
    await late.sees("waiting");
    await late.page.getByText(waiting.net.eyebrow).waitFor();
    await late.page.getByText(waiting.net.order).waitFor();
    assert.equal(await late.page.getByText(waiting.draw).count(), 0, "nothing is drawn here");
    await look(late.page, "net-busy");
    await page.reload();
    await page.getByText(home.busy(1)).waitFor();
    await look(page, "net-list");
    await crowd.leave(1);
    await late.comeIn();
    await late.context.close();
    await plain.context.close();
  } finally {
    await stack.stop();
  }
}
