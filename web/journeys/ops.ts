import assert from "node:assert/strict";
import { common, ops as words, waiting } from "../src/messages/en";
import type { Locator, Page } from "playwright-core";
import type { Fan } from "./fan";
import { look, settled, watch } from "./look";
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
  await desk.getByRole("alert").filter({ hasText: words.signIn.wrong }).waitFor();
  await focused(desk, "key");
  assert.equal(await desk.getByLabel(words.signIn.key).getAttribute("type"), "password", "nobody reads it over a shoulder");
  await look(desk, "ops-sign-in");
  await byAccount(desk, fan);
  await desk.goto("about:blank");
  await desk.goto(`${fan.stack.url}/ops#key=${fan.stack.staffKey}`);
  await desk.getByText(words.number.waiting, { exact: true }).first().waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");

  try {
    const reason = desk.getByLabel(words.mode.reason);
    const mode = (name: keyof typeof words.mode.name) => desk.getByRole("button", { name: words.mode.name[name], exact: true });
    await desk.getByRole("button", { name: words.toModes }).press("Enter");
    await focused(desk, "mode-reason");
    await mode("pause").press("Enter");
    await desk.getByText(words.reasonMissing).waitFor();
    await focused(desk, "mode-reason");
    // What staff write down is theirs alone where fans are given words of their own.
    await reason.fill("INC-7, see the wiki.");
    await desk.getByText(words.mode.others).press("Enter");
    const others = desk.locator(".modes .texts");
    await others.getByLabel(words.texts.text("en")).fill("The band asked for ten minutes.");
    await others.getByRole("button", { name: words.texts.more }).press("Enter");
    await others.getByLabel(words.texts.lang).nth(1).fill("de");
    await others.getByLabel(words.texts.text("de")).fill("Die Band braucht zehn Minuten.");
    await mode("pause").press("Enter");
    await desk.getByText(words.mode.now("The band asked for ten minutes.")).waitFor();
    await keeps(desk, mode("pause"));

    await new Crowd(fan.stack).join(25);
    await fan.arrive();
    await fan.sees("waiting");
    await fan.page.getByText(waiting.paused.reason("The band asked for ten minutes.")).waitFor();
    await look(fan.page, "paused");
    assert.equal(await fan.page.getByText("INC-7").count(), 0, "the staff's reason is not shown to fans");
    await tell(desk, fan);
    await desk.locator(".chart canvas").nth(4).waitFor();
    await desk.getByText(words.edges.well).first().waitFor();
    await money(desk);
    await desk.evaluate(() => scrollTo(0, 0));
    await look(desk, "ops");

    // An emergency stop is asked for once more; Escape says no.
    await reason.fill("Drill.");
    await mode("stop").click();
    await desk.getByRole("dialog").waitFor();
    await look(desk, "ops-stop");
    await desk.keyboard.press("Escape");
    await desk.getByRole("dialog").waitFor({ state: "detached" });
    await keeps(desk, mode("stop"));
    assert.equal((await staff.live()).mode, "pause");
    await mode("stop").press("Enter");
    await desk.getByRole("dialog").getByRole("button").first().press("Enter");
    await desk.getByRole("dialog").waitFor({ state: "detached" });
    await keeps(desk, mode("stop"));

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
    const apply = desk.getByRole("button", { name: words.limits.apply, exact: true });
    await apply.press("Enter");
    const number = new Intl.NumberFormat("en").format;
    await desk.getByText(words.limits.changed(`cap ${number(cap)} → ${number(cap + 1)}`)).waitFor();
    await late(desk, async () => {
      await apply.press("Enter");
      await desk.getByText(words.limits.applied).waitFor();
    });
    await keeps(desk, apply);
    assert.equal((await staff.live()).cap, cap + 7);
    await desk.getByText("The core is bored.").first().waitFor();
    await absurd(desk, staff);

    await automatic(desk, staff);

    // Planned for later, and called off.
    await desk.getByLabel(words.limits.rate, { exact: true }).fill("777");
    await desk.getByLabel(words.limits.reason, { exact: true }).first().fill("The doors of the hall open.");
    await desk.locator("[name=when]").fill(local(new Date(Date.now() + 3_600_000)));
    await desk.getByRole("button", { name: words.limits.plan }).click();
    await desk.getByText(words.limits.planned, { exact: true }).waitFor();
    await cancel(desk);
    await presets(desk);
    await session(desk);
    await look(desk, "ops-after");
    await away(desk);
    await over(desk, fan);
  } finally {
    await staff.resumed();
    await staff.manual();
    await staff.cap(cap);
  }
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByLabel(words.signIn.key).waitFor();
}

/** Whoever is not let in by their account reads why, and what opens the page. */
async function byAccount(desk: Page, fan: Fan): Promise<void> {
  const badge = "**/api/v1/organizer/staff/badge";
  const w = words.account;
  const answers = { away: [503, "store-away", w.away], second: [403, "second-factor-needed", w.second], other: [403, "sre-required", w.other] } as const;
  for (const [name, [status, code, says]] of Object.entries(answers)) {
    await desk.route(badge, (route) => route.fulfill({ status, contentType: "application/problem+json", json: { type: `urn:ropeline:problem:${code}`, title: "", status } }));
    await desk.goto("about:blank");
    await desk.goto(`${fan.stack.url}/ops`);
    await desk.getByText(says).waitFor();
    await desk.getByLabel(words.signIn.key).waitFor();
    await look(desk, `ops-account-${name}`);
    await desk.unroute(badge);
  }
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
  // It moves the rate all the time; that is nobody who was faster, and what a person sets is done.
  const rate = desk.getByLabel(words.limits.rate, { exact: true });
  await rate.fill("555");
  await desk.getByLabel(words.limits.reason, { exact: true }).first().fill("The law is too shy.");
  await staff.rate(601);
  await rate.press("Enter");
  await desk.getByText(/rate [0-9]+ → 555/).waitFor(); // in the audit
}

/** A look at the sales that began before a change is answered after it: what was changed is still shown. */
async function late(desk: Page, change: () => Promise<void>): Promise<void> {
  const sales = "**/api/v1/ops/sales";
  let asked = () => {};
  let answer = () => {};
  let more = () => {};
  const first = new Promise<void>((done) => (asked = done));
  const changed = new Promise<void>((done) => (answer = done));
  const looked = new Promise<void>((done) => (more = done));
  let looks = 0;
  await desk.route(sales, async (route) => {
    if (looks++ > 0) return looked.then(() => route.continue());
    const before = await route.fetch();
    asked();
    await changed;
    await route.fulfill({ response: before });
  });
  await first;
  await change();
  const cap = desk.getByLabel(words.limits.cap, { exact: true });
  const shown = await cap.inputValue();
  const next = desk.waitForRequest(sales); // once the answer is taken in
  answer();
  await next;
  assert.equal(await cap.inputValue(), shown);
  const answered = desk.waitForResponse(sales);
  more();
  await answered;
  await desk.unroute(sales);
}

/** Limits that no sale can have are refused in words, what was typed stays, and nothing is changed. */
async function absurd(desk: Page, staff: Staff): Promise<void> {
  const before = await staff.live();
  const cap = desk.getByLabel(words.limits.cap, { exact: true });
  await desk.getByLabel(words.limits.reason, { exact: true }).first().fill("A slip of the hand.");
  for (const typed of ["-5", "1.5", ""]) {
    await cap.fill(typed);
    await cap.press("Enter");
    await desk.getByText(words.limits.whole).waitFor();
    await focused(desk, "cap");
  }
  await cap.fill("999999999999");
  await cap.press("Enter");
  await desk.getByText(/^Refused: .*10,?000,?000/).waitFor();
  assert.equal(await cap.inputValue(), "999999999999");
  assert.equal((await staff.live()).version, before.version);
  await desk.locator("form", { has: cap }).getByRole("button", { name: common.cancel }).press("Enter");
  assert.equal(await cap.inputValue(), String(before.cap));
}

/** What is planned is called off for a reason, and the focus is not lost with the button. */
async function cancel(desk: Page): Promise<void> {
  const button = desk.getByRole("button", { name: /^Cancel what is planned/ });
  await button.press("Enter");
  await focused(desk, "cancel-reason");
  await desk.getByLabel(words.schedule.reason).fill("They open as they are.");
  await button.press("Enter");
  await desk.getByText(words.schedule.canceled).waitFor();
  assert.equal(await desk.evaluate(() => document.activeElement?.id), "planned");
  await desk.getByText("They open as they are.").waitFor(); // in the audit
}

/** How many payments need somebody is said, and of which kind they are; no payment of the demo does, so the answer is made up. */
async function money(desk: Page): Promise<void> {
  const w = words.payments;
  await desk.getByText(w.none).waitFor();
  const trouble = { sale: "lanterns", attempt: "a", payment: "pi_1", amount: { amount: 5250, currency: "EUR" }, at: new Date().toISOString() };
  const payments = [
    { ...trouble, kind: "late", state: "failed" },
    { ...trouble, kind: "unpaid", state: "open" },
    { ...trouble, kind: "late", state: "refunded", attempt: "b" },
  ];
  await desk.route("**/api/v1/ops/payments", (route) => route.fulfill({ json: { payments } }));
  await desk.getByText(w.some(2)).waitFor();
  assert.equal(await desk.locator("section", { has: desk.locator("#payments") }).locator("tbody tr").count(), 2);
  await desk.getByText(w.failed).waitFor();
  await look(desk, "ops-payments", desk.locator("#payments"));
  await desk.unroute("**/api/v1/ops/payments");
  await desk.getByText(w.none).waitFor();
}

/** A preset is kept, planned, and taken away. */
async function presets(desk: Page): Promise<void> {
  const w = words.presets;
  await desk.getByText(w.keep).press("Enter");
  await desk.getByLabel(w.newName).fill("as-rehearsed");
  await desk.locator("[name=keep-reason]").fill("It went well.");
  await desk.getByRole("button", { name: w.save }).press("Enter");
  await desk.getByText(w.kept).waitFor();
  await desk.locator("option", { hasText: "as-rehearsed" }).waitFor({ state: "attached" });
  await desk.locator("[name=preset]").selectOption("as-rehearsed");
  await desk.getByText(/^Sets cap/).waitFor();
  await desk.locator("[name=preset-reason]").fill("Not needed.");
  await desk.getByRole("button", { name: w.remove }).press("Enter");
  await desk.getByText(w.removed).waitFor();
}

/** A session that nobody has is refused in words. */
async function session(desk: Page): Promise<void> {
  const w = words.session;
  await desk.getByRole("button", { name: w.revoke, exact: true }).press("Enter");
  await desk.getByText(w.missing).waitFor();
  await focused(desk, "session-id");
  await desk.getByLabel(w.id).fill("nobody");
  await desk.locator("[name=session-reason]").fill("A shared token.");
  await desk.getByRole("button", { name: w.revoke, exact: true }).press("Enter");
  await desk.locator("form", { has: desk.getByLabel(w.id) }).getByText(/^Refused: /).waitFor();
}

/** Whose sign-in is over signs in again, and finds what they typed. */
async function over(desk: Page, fan: Fan): Promise<void> {
  await desk.getByLabel(words.message.reason).fill("Half a sentence");
  await desk.context().clearCookies({ name: "ropeline_staff" });
  await desk.getByText(words.signIn.over).waitFor();
  await focused(desk, "key");
  await desk.getByLabel(words.signIn.key).fill(` ${fan.stack.staffKey} `); // as it is copied
  await desk.keyboard.press("Enter");
  await desk.getByText(/^As of/).waitFor();
  assert.equal(await desk.getByLabel(words.message.reason).inputValue(), "Half a sentence");
  await desk.waitForFunction(() => document.activeElement?.tagName === "H1");
}

/** The field of that name has the focus. */
const focused = (desk: Page, name: string) => desk.waitForFunction((wanted) => (document.activeElement as HTMLInputElement | null)?.name === wanted, name);

/** Whoever works with the keyboard stays where they were. */
async function keeps(desk: Page, button: Locator): Promise<void> {
  await settled(desk);
  assert.ok(await button.evaluate((element) => element === document.activeElement), "the focus is lost");
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
  await desk.unrouteAll({ behavior: "wait" }); // the page asks each second, and a question may be under way
}

/** As an input of a date and time wants it. */
const local = (at: Date) => new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 19);
