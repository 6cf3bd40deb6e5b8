import assert from "node:assert/strict";
import { lane as words, ops } from "../src/messages/en";
import { Fan, until } from "./fan";
import { look, watch } from "./look";
import { startStack } from "./stack";

/** A presale: a fan in the lobby mistypes a code, is told where the right one leads, and moves there. */
export async function presale(fan: Fan): Promise<void> {
  const lanes = [{ name: "members", title: "Members", share: 30, entry: ["code"] }];
  const bypass = [{ name: "staff", title: "Staff of the venue", share: 2, keys: ["0".repeat(64)] }];
  const stack = await startStack({ opens_in: 600, lanes, bypass });
  try {
    const mine = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    const made = await fetch(`${stack.url}/api/v1/ops/sales/${stack.sale}/codes`, {
      method: "POST",
      headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json" },
      body: JSON.stringify({ lane: "members", count: 2, reason: "for the fan club" }),
    });
    const { codes } = (await made.json()) as { codes: string[] };
    assert.equal(made.status, 201);

    await mine.arrive();
    await mine.sees("lobby");
    await page.getByText(words.here(undefined, 70)).waitFor();
    await page.getByText(words.all).click();
    await page.getByText("Past the line: Staff of the venue").waitFor();
    await look(page, "presale-lanes");

    await mine.button(words.enter).click();
    await page.getByLabel(words.label).fill("WRONG-CODE");
    await mine.button(words.look).click();
    await page.getByRole("alert").filter({ hasText: "Your place is kept" }).waitFor();
    await look(page, "presale-wrong");
    fan.troubles.length = 0; // the browser itself tells of a 404
    await page.getByLabel(words.label).fill(codes[0]!.toLowerCase());
    await page.keyboard.press("Enter");
    await page.getByText(words.leads("Members")).waitFor();
    await look(page, "presale-offer");
    await mine.button(words.move).click();
    await page.getByText(words.here("Members", 30)).waitFor();
    await mine.sees("lobby");
    await look(page, "presale-moved");

    // The SRE gives the lane more, and whoever stands there reads it.
    const desk = await fan.context.newPage();
    watch(desk, fan.troubles);
    await desk.goto(`${stack.url}/ops#key=${stack.staffKey}`);
    const share = desk.getByRole("spinbutton", { name: "members", exact: true });
    await share.fill("100");
    await desk.getByLabel(ops.limits.reason, { exact: true }).first().fill("Many members came.");
    await share.press("Enter");
    await desk.getByText("Lane members has a share of 100").waitFor();
    fan.troubles.length = 0; // the browser itself tells of a 422
    await share.fill("45");
    await desk.getByText(ops.limits.shares(55)).waitFor();
    await look(desk, "presale-ops");
    await share.press("Enter");
    await desk.getByText(ops.limits.applied).waitFor();
    // Whoever opens the list asks for the sale anew, once; the edge may answer from a picture that is a little older.
    await until(async () => {
      const told = (await (await fetch(`${stack.url}/api/v1/sales/${stack.sale}`)).json()) as { lanes: { share: number }[] };
      return told.lanes.some((lane) => lane.share === 45);
    }, "the edge tells of the new share");
    await page.getByText(words.all).click();
    await page.getByText(words.here("Members", 45)).waitFor();
    await desk.close();

    // Without scripts the same.
    const plain = await mine.another(390);
    await plain.page.goto(`${plain.room}?plain`);
    await plain.page.getByRole("button", { name: "Join the line" }).click();
    await plain.page.getByRole("button", { name: "Enter a code" }).click();
    await look(plain.page, "presale-plain-code");
    await plain.page.getByLabel("The code that you were given for a lane").fill(codes[1]!);
    await plain.page.getByRole("button", { name: "Look where it leads" }).click();
    await plain.page.getByText("It leads to the lane Members").waitFor();
    await look(plain.page, "presale-plain");
    await plain.page.getByRole("button", { name: "Move there" }).click();
    await plain.page.getByText("You are in the lane Members").waitFor();
    await plain.context.close();
  } finally {
    await stack.stop();
  }
}
