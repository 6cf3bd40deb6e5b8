import assert from "node:assert/strict";
import { handover as words, waiting } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { look } from "./look";
import { Staff } from "./staff";

/** One place goes from the desk to a phone by link and on to a tablet by typing; the last one holds it. */
export async function handover(desk: Fan): Promise<void> {
  const staff = new Staff(desk.stack);
  const { cap } = await staff.live();
  await staff.cap(0);
  const phone = await desk.another(390);
  const tablet = await desk.another(1280);
  try {
    await desk.arrive();
    await desk.sees("waiting");
    const [position, people] = [await desk.position(), await desk.inLine()];
    await troubled(desk);
    const link = `${desk.room}#handover=${await code(desk)}`;
    await look(desk.page, "handover");

    await phone.page.goto(`${desk.room}#handover=AAAAA-AAAAA`);
    await phone.page.getByText(words.failed.heading).waitFor();
    await look(phone.page, "handover-failed");
    await phone.page.goto(link);
    await phone.page.reload(); // the fragment alone loads nothing anew
    await phone.sees("waiting");
    assert.equal(await phone.position(), position, "the place keeps its position");
    assert.ok(!phone.page.url().includes("#"), "the code is not left in the address");
    await desk.sees("elsewhere");
    await desk.button(words.close).click();
    await look(desk.page, "elsewhere");
    assert.equal(await desk.button(waiting.leave).count(), 0, "who only watches cannot leave");
    await desk.page.reload();
    await desk.sees("elsewhere"); // joins nothing
    await until(async () => (await desk.inLine()) === people, "no place is lost or doubled");

    await tablet.arrive();
    await tablet.sees("waiting");
    const typed = await code(phone);
    await tablet.button(waiting.move).click();
    await tablet.page.getByLabel(words.enter).fill(typed.toLowerCase());
    await tablet.button(words.bring).click();
    await tablet.page.getByText(words.held.heading).waitFor();
    await look(tablet.page, "handover-held");
    await tablet.button(words.held.take).click();
    await phone.sees("elsewhere");
    await tablet.sees("waiting");
    assert.equal(await tablet.position(), position);
    await until(async () => (await desk.inLine()) === people, "the tablet gave its own place up");
  } finally {
    await staff.cap(cap);
  }
  await tablet.sees("offered");
  for (const watching of [desk, phone]) await watching.page.getByText(waiting.elsewhere.offered, { exact: true }).waitFor();
  await tablet.comeIn();
  await phone.page.getByText(waiting.elsewhere.active, { exact: true }).waitFor();
  for (const fan of [phone, tablet]) await fan.context.close();
}

/** A code that could not be made is asked for again, with the keyboard, and nothing else is lost. */
async function troubled(fan: Fan): Promise<void> {
  const { page } = fan;
  const codes = "**/place/handover";
  await page.route(codes, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", json: { type: "urn:ropeline:problem:store-away", title: "", status: 503, detail: "Please try again." } }), { times: 1 });
  await fan.button(waiting.move).click();
  await page.locator(".code .wrong").getByText("Please try again.").waitFor();
  await look(page, "handover-trouble");
  await fan.button(words.failed.again).press("Enter");
  await page.locator(".code img").waitFor();
  assert.ok(await page.locator(".code").evaluate((element) => element === document.activeElement), "the focus is lost with the button");
  await fan.button(words.close).click();
}

async function code(fan: Fan): Promise<string> {
  await fan.button(waiting.move).click();
  await fan.page.locator(".code img").waitFor(); // in what was closed there may be a code of before
  return fan.page.locator(".code .words").innerText();
}
