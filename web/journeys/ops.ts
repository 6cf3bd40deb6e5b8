import assert from "node:assert/strict";
import { ops as words, waiting } from "../src/messages/en";
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
    const pause = desk.getByRole("button", { name: words.pause.pause });
    await pause.click();
    await desk.getByText(words.reasonMissing).waitFor();
    await desk.getByLabel(words.pause.reason).fill("The band asked for ten minutes.");
    await pause.click();
    await desk.getByText(words.pause.now("The band asked for ten minutes.")).waitFor();

    await new Crowd(fan.stack).join(25);
    await fan.arrive();
    await fan.sees("waiting");
    await fan.page.getByText(waiting.paused.reason("The band asked for ten minutes.")).waitFor();
    await look(fan.page, "paused");
    await look(desk, "ops");

    await desk.getByLabel(words.pause.resumeReason).fill("The band is ready.");
    await desk.getByRole("button", { name: words.pause.resume }).click();
    await fan.sees("offered");

    await desk.getByLabel(words.limits.cap).fill(String(cap + 7));
    await desk.getByLabel(words.limits.reason, { exact: true }).fill("The core is bored.");
    await staff.cap(cap + 1);
    const apply = desk.getByRole("button", { name: words.limits.apply });
    await apply.click();
    await desk.getByText(`cap ${new Intl.NumberFormat("en").format(cap + 1)}`).waitFor();
    await apply.click();
    await desk.getByText(words.limits.applied).waitFor();
    assert.equal((await staff.live()).cap, cap + 7);
  } finally {
    await staff.resumed();
    await staff.cap(cap);
  }
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByLabel(words.signIn.key).waitFor();
}
