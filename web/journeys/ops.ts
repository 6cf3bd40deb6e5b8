import assert from "node:assert/strict";
import { ops as words, waiting } from "../src/messages/en";
import type { Page } from "playwright-core";
import type { Fan } from "./fan";
import { look, watch } from "./look";
import { Crowd, Staff } from "./staff";

/** The SRE signs in, pauses with a reason that the fan reads, resumes, and changes the cap against somebody else's change. */
export async function ops(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { cap } = await staff.live();
  const desk = await fan.context.newPage();
  watch(desk, fan.troubles);
  await desk.goto(`${fan.stack.url}/ops`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await look(desk, "ops-sign-in");
  await desk.goto("about:blank");
  await desk.goto(`${fan.stack.url}/ops#key=${fan.stack.staffKey}`);
  await desk.getByText(words.number.waiting, { exact: true }).first().waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");

  try {
    const reason = desk.getByLabel(words.mode.reason);
    const mode = (name: keyof typeof words.mode.name) => desk.getByRole("button", { name: words.mode.name[name], exact: true });
    await mode("pause").click();
    await desk.getByText(words.reasonMissing).waitFor();
    // What staff write down is theirs alone where fans are given words of their own.
    await reason.fill("INC-7, see the wiki.");
    await desk.getByText(words.mode.others).press("Enter");
    const others = desk.locator(".modes .texts");
    await others.getByLabel(words.texts.text("en")).fill("The band asked for ten minutes.");
    await others.getByRole("button", { name: words.texts.more }).press("Enter");
    await others.getByLabel(words.texts.lang).nth(1).fill("de");
    await others.getByLabel(words.texts.text("de")).fill("Die Band braucht zehn Minuten.");
    await mode("pause").click();
    await desk.getByText(words.mode.now("The band asked for ten minutes.")).waitFor();

    await new Crowd(fan.stack).join(25);
    await fan.arrive();
    await fan.sees("waiting");
    await fan.page.getByText(waiting.paused.reason("The band asked for ten minutes.")).waitFor();
    await look(fan.page, "paused");
    assert.equal(await fan.page.getByText("INC-7").count(), 0, "the staff's reason is not shown to fans");
    await tell(desk, fan);
    await desk.locator(".chart canvas").nth(4).waitFor();
    await desk.getByText(words.edges.well).first().waitFor();
    await desk.evaluate(() => scrollTo(0, 0));
    await look(desk, "ops");

    // An emergency stop is asked for once more; Escape says no.
    await reason.fill("Drill.");
    await mode("stop").click();
    await desk.getByRole("dialog").waitFor();
    await look(desk, "ops-stop");
    await desk.keyboard.press("Escape");
    await desk.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal((await staff.live()).mode, "pause");

    await reason.fill("The band is ready.");
    await mode("run").click();
    await fan.sees("offered");

    // With the keyboard alone: the slider moves, says what it would do, and the change is applied.
    const slider = desk.getByRole("slider", { name: words.limits.slider(words.limits.cap) });
    await slider.focus();
    for (let i = 0; i < 7; i++) await desk.keyboard.press("ArrowRight");
    assert.equal(await desk.getByLabel(words.limits.cap, { exact: true }).inputValue(), String(cap + 7));
    await desk.getByText(/^Room for \d+ more\./).waitFor();
    await desk.getByLabel(words.limits.reason, { exact: true }).first().fill("The core is bored.");
    await staff.cap(cap + 1);
    await desk.getByRole("button", { name: words.limits.apply, exact: true }).press("Enter");
    await desk.getByText(`cap ${new Intl.NumberFormat("en").format(cap + 1)}, rate`).waitFor();
    await desk.getByRole("button", { name: words.limits.apply, exact: true }).press("Enter");
    await desk.getByText(words.limits.applied).waitFor();
    assert.equal((await staff.live()).cap, cap + 7);
    await desk.getByText("The core is bored.").first().waitFor();

    await automatic(desk, staff);

    // Planned for later, and called off.
    await desk.getByLabel(words.limits.rate, { exact: true }).fill("777");
    await desk.getByLabel(words.limits.reason, { exact: true }).first().fill("The doors of the hall open.");
    await desk.getByLabel(words.limits.when).fill(local(new Date(Date.now() + 3_600_000)));
    await desk.getByRole("button", { name: words.limits.plan }).click();
    await desk.getByText(words.limits.planned, { exact: true }).waitFor();
    await desk.getByRole("button", { name: /^Cancel what is planned/ }).click();
    await desk.getByText(words.schedule.canceled).waitFor();
    await look(desk, "ops-after");
    await away(desk);
  } finally {
    await staff.resumed();
    await staff.manual();
    await staff.cap(cap);
  }
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByLabel(words.signIn.key).waitFor();
}

/** A message is written in two languages, looked at, read by the fan, and taken away. */
async function tell(desk: Page, fan: Fan): Promise<void> {
  const form = desk.locator("form", { has: desk.getByRole("heading", { name: words.message.heading }) });
  const says = "Doors open at eight, not at seven.";
  await form.getByText(words.message.none).waitFor();
  await form.getByRole("button", { name: words.message.send }).click();
  await form.getByText(words.message.nothing).waitFor();
  await form.getByLabel(words.texts.text("en")).fill(says);
  await form.getByText(words.message.preview).waitFor();
  await form.getByRole("button", { name: words.message.send }).press("Enter");
  await form.getByText(words.reasonMissing).waitFor();
  await form.getByLabel(words.message.reason).fill("They ask.");
  await form.getByRole("button", { name: words.message.send }).press("Enter");
  await form.getByText(words.message.now).waitFor();
  await fan.page.getByText(says).waitFor();
  await look(desk, "ops-message");
  await form.getByLabel(words.message.reason).fill("They know.");
  await form.getByRole("button", { name: words.message.take }).press("Enter");
  await fan.page.getByText(says).waitFor({ state: "detached" });
}

/** The automatic mode is switched on with the keyboard, a bound with it; somebody who was faster is not undone. */
async function automatic(desk: Page, staff: Staff): Promise<void> {
  const form = desk.locator("form", { has: desk.getByRole("heading", { name: words.automatic.heading }) });
  await form.getByLabel(words.automatic.fly).press("Space");
  await form.getByLabel(words.automatic.field.target_ms).fill("400");
  await form.getByLabel(words.automatic.field.slow).fill("2.5");
  await form.getByLabel(words.automatic.field.min_cap).fill("1");
  await form.getByLabel(words.limits.reason, { exact: true }).fill("Nobody is at the desk tonight.");
  await form.getByRole("button", { name: words.automatic.apply }).press("Enter");
  await form.getByText(words.automatic.on).waitFor();
  const { auto, min_cap } = await staff.live();
  assert.deepEqual([auto?.on, auto?.target_ms, auto?.slow, min_cap], [true, 400, 0.025, 1]);
}

/** What cannot be read is said, and is not shown as it was. */
async function away(desk: Page): Promise<void> {
  const problem = { status: 503, contentType: "application/problem+json", body: '{"type":"urn:ropeline:problem:store-away","title":"Unavailable","status":503}' };
  await desk.route("**/api/v1/ops/sales/*/audit*", (route) => route.fulfill(problem));
  await desk.getByText(words.away).waitFor();
  await desk.unroute("**/api/v1/ops/sales/*/audit*");
  await desk.route("**/api/v1/ops/sales", (route) => route.abort());
  await desk.getByText(/^No answer\./).waitFor();
  await desk.unroute("**/api/v1/ops/sales");
  await desk.getByText(/^As of/).waitFor();
  // One sale that cannot be read hides none of the others.
  await desk.route("**/api/v1/ops/sales", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), failed: [{ sale: "damaged", problem: { title: "Unavailable", detail: "Not now." } }] } });
  });
  await desk.getByText(words.unread("damaged", "Not now.")).waitFor();
  assert.ok(await desk.getByText(words.number.waiting, { exact: true }).first().isVisible());
  await desk.unroute("**/api/v1/ops/sales");
}

/** As an input of a date and time wants it. */
const local = (at: Date) => new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 19);
