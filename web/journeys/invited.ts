import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Fan } from "./fan";
import { look, watch } from "./look";
import { binary, startStack } from "./stack";

/** A sale by invitation: the link is the way in, for one. */
export async function invited(fan: Fan): Promise<void> {
  const stack = await startStack({ opens_in: 600, party_max: 0, visitor: { kind: "invitation" } });
  const browser = fan.context.browser();
  assert.ok(browser && stack.keys);
  const elsewhere = await browser.newContext();
  try {
    const mine = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    await mine.arrive();
    await page.locator('[data-scene="failed"]').getByText("by invitation").waitFor();
    await look(page, "invitation-needed");

    const out = execFileSync(binary, ["invite", "--keys", stack.keys, "--url", stack.url, stack.sale, "guest-1"], { encoding: "utf8" });
    const link = out.trim().split(" ")[1]!;
    await page.goto(link);
    await page.reload(); // the fragment alone loads nothing anew
    await mine.sees("lobby");
    await page.reload();
    await mine.sees("lobby");

    const other = await elsewhere.newPage();
    watch(other, fan.troubles);
    await other.goto(link);
    await other.locator('[data-scene="failed"]').getByText("joined with this already").waitFor();
    await look(other, "invitation-used");
    await other.goto(`${link.slice(0, -3)}abc`);
    await other.reload();
    await other.locator('[data-scene="failed"]').getByText("no invitation of the organizer").waitFor();
  } finally {
    await elsewhere.close();
    await stack.stop();
  }
}
