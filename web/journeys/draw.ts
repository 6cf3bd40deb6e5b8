import assert from "node:assert/strict";
import { draw as words, ledger, waiting } from "../src/messages/en";
import { Fan } from "./fan";
import { look } from "./look";
import { startStack } from "./stack";

/** A sale for browsers: the page works for its place, and the fan checks the draw with it. */
export async function draw(fan: Fan): Promise<void> {
  const stack = await startStack({ opens_in: 25, visitor: { kind: "browser", work: 400, per_network: 100 } });
  try {
    const mine = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    await mine.arrive();
    assert.equal(await mine.sees("lobby"), "lobby");
    await page.getByRole("link", { name: waiting.draw }).click();
    await page.getByText(words.waiting).waitFor();
    const commitment = await page.locator("dd code").first().innerText();
    assert.match(commitment, /^[0-9a-f]{64}$/);
    await look(page, "draw-before");
    await page.getByText(words.rank(1, 1)).waitFor({ timeout: 60_000 });
    await page.getByText(words.good).waitFor();
    assert.equal(await page.locator('.checks [data-verdict="broken"]').count(), 0);
    assert.ok(await page.locator(".checks li").filter({ hasText: words.checks.commitmentNoted }).filter({ hasText: words.verdicts.holds }).isVisible());
    assert.ok((await page.locator("dd code").allInnerTexts()).includes(commitment), "the commitment is the one shown before");
    await look(page, "draw-checked");

    // What was told of the sale stands in its ledger, and the browser checks it.
    await page.getByRole("link", { name: words.ledger }).click();
    await page.locator('[data-kind="drawn"]').waitFor({ timeout: 20_000 });
    await page.locator('[data-kind="opened"]').waitFor({ timeout: 20_000 });
    await page.locator('[data-verdict="holds"]').waitFor();
    await look(page, "ledger");
    await page.route("**/ledger?*", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.text()).replace(/"entrants":1/, '"entrants":2');
      await route.fulfill({ response: answer, body });
    });
    await page.reload();
    await page.getByText(ledger.bad).waitFor();
    await look(page, "ledger-broken");
    await page.unroute("**/ledger?*");
    await page.getByRole("link", { name: ledger.draw }).click();
    await page.getByText(words.good).waitFor();

    // A server that lies about the score is found out.
    await page.route("**/draw/proof", async (route) => {
      const answer = await route.fetch();
      const proof = (await answer.json()) as { score: number };
      await route.fulfill({ response: answer, json: { ...proof, score: proof.score + 1 } });
    });
    await page.reload();
    await page.getByText(words.bad).waitFor();
    await look(page, "draw-broken");
    await page.unroute("**/draw/proof");
    await page.getByRole("link", { name: words.back }).click();
    await mine.sees("waiting", "offered");
  } finally {
    await stack.stop();
  }
}
