import assert from "node:assert/strict";
import { news, party as words, waiting } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { look } from "./look";
import { Staff } from "./staff";

/** Three friends share a place by a link: one position, one claim, and each comes in. */
export async function party(host: Fan): Promise<void> {
  const staff = new Staff(host.stack);
  const { cap } = await staff.live();
  const [near, far] = [await host.another(390), await host.another(1280)];
  await staff.cap(0);
  try {
    await host.arrive();
    await host.sees("waiting");
    const position = await host.position();
    await host.button(waiting.invite).click();
    const link = await host.page.getByLabel(words.link).inputValue();
    await look(host.page, "party-invite");
    await host.button(words.close).click();

    await near.page.goto(`${near.room}#party=nonsense`);
    await near.page.getByText(words.failed.heading).waitFor();
    await look(near.page, "party-failed");
    await near.page.goto(link);
    await near.page.reload(); // the fragment alone loads nothing anew
    await near.sees("waiting");
    assert.equal(await near.position(), position, "the friend stands where the host stands");
    assert.ok(!near.page.url().includes("#"), "the code is not left in the address");

    // The third has a place alone, and is asked before it is given up.
    const people = await host.inLine();
    await far.arrive();
    await far.sees("waiting");
    await until(async () => (await host.inLine()) === people + 1, "the third is in line");
    await far.page.goto(link);
    await far.page.reload();
    await far.page.getByText(words.own.heading).waitFor();
    await look(far.page, "party-own");
    await far.button(words.own.take).click();
    for (const fan of [host, near, far]) await fan.button(waiting.party(3)).waitFor();
    assert.equal(await far.position(), position);
    await until(async () => (await host.inLine()) === people, "the third's own place was given up");
    await near.page.getByText(news.party("good", 3)).waitFor();
    await look(near.page, "party");
    await near.page.reload();
    await near.button(waiting.party(3)).waitFor();
  } finally {
    await staff.cap(cap);
  }
  for (const fan of [host, near, far]) await fan.sees("offered");
  await near.comeIn();
  for (const fan of [host, far]) {
    await fan.sees("active");
    await fan.page.getByRole("link", { name: waiting.active.shop }).click();
    await fan.page.waitForURL("**/shop");
    await fan.page.locator(".tiers").waitFor();
    await fan.page.locator(".bar .note").filter({ hasText: /\d/ }).waitFor();
  }
  const live = await staff.live();
  assert.ok(live.active >= 3 && live.active <= cap, `three people are inside: ${live.active}`);
  for (const fan of [near, far]) await fan.context.close();
}
