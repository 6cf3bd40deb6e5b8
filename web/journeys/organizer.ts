import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { lane, setup as words } from "../src/messages/en";
import { shown } from "../src/setup/zone";
import { Fan } from "./fan";
import { fits, look, movedInLoad } from "./look";
import { startStack } from "./stack";

const lisbon = "Europe/Lisbon";
const title = "Lanterns <b>& Co.</b>";
const sale = "lanterns-b-co-b";
const began = Date.now(); // what is typed is compared later, and a minute may have gone by
const days = (n: number) => new Date(began + n * 86_400_000);

/** An organizer makes a tour from nothing to an open sale: what is typed survives a reload and somebody else, what is wrong is said at its field, and a fan comes in. */
export async function organizer(fan: Fan): Promise<void> {
  const stack = await startStack({ opens_in: 600 });
  try {
    const mine = new Fan({ ...stack, sale }, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    await venue(stack.url, stack.staffKey, "Coliseu do Tejo", lisbon);
    await venue(stack.url, stack.staffKey, "Gasometer", "Europe/Vienna");
    await page.goto(`${stack.url}/desk/setup`);
    await page.getByLabel(words.signIn.key).fill("not a key");
    await page.getByRole("button", { name: words.signIn.submit }).click();
    await page.getByText(words.signIn.wrong).waitFor();
    await page.goto("about:blank");
    await page.goto(`${stack.url}/desk/setup#key=${stack.staffKey}`);
    await page.getByRole("button", { name: words.fresh }).click();

    await show(page);
    await dates(mine);
    await prices(page);
    await terms(page);
    await opening(mine);
    await codes(mine);
    await moved(mine);
  } finally {
    await stack.stop();
  }
}

/** The venue's manager has made a house: the organizer finds it. */
async function venue(url: string, key: string, name: string, zone: string): Promise<void> {
  const send = async (method: string, path: string, body: unknown, headers: Record<string, string>) => {
    const answer = await fetch(`${url}/api/v1/organizer/venues${path}`, { method, headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });
    assert.ok(answer.ok, await answer.clone().text());
    return (await answer.json()) as { id: string };
  };
  const seats = Array.from({ length: 10 }, (_, i) => ({ name: String(i + 1), x: i, y: 0 }));
  const map = {
    format: "ropeline-venue/1", name, categories: ["Stalls", "Floor"],
    sections: [{ name: "Stalls", category: "Stalls", rows: [{ name: "A", seats }] }],
    areas: [{ name: "Floor", category: "Floor", places: 200, x: 0, y: 5, width: 10, height: 5 }],
  };
  const { id } = await send("POST", "", map, { "Idempotency-Key": `venue-${zone}` });
  await send("PUT", `/${id}/details?reason=where+it+is`, { time_zone: zone }, { "If-Match": '"1"' });
}

const onward = (page: Page) => page.getByRole("button", { name: words.next }).click();

/** Below the fields it is said that one of them is wrong, as long as one is. */
const complains = (page: Page) => page.getByText(words.look).waitFor();
const mended = (page: Page) => page.getByText(words.look).waitFor({ state: "detached" });

async function show(page: Page): Promise<void> {
  await onward(page);
  await page.getByText(words.wrong.missing).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), "title", "the field that is wrong has the focus");
  await complains(page);
  await page.getByLabel(words.show.title, { exact: true }).fill(title);
  await mended(page);
  await page.getByLabel(words.show.about).fill("Two hours of songs.\n<script>alert(1)</script>");
  await page.getByLabel(words.show.category).selectOption("music");
  for (const name of ["The Paper Lanterns", "Inês Prado"]) {
    await page.getByLabel(words.show.performer, { exact: true }).fill(name);
    await page.getByRole("button", { name: words.show.add }).click();
  }
  await page.getByLabel(words.show.tour).fill("Lights across the water");
  await page.getByLabel(words.show.picture, { exact: true }).setInputFiles({ name: "lanterns.png", mimeType: "image/png", buffer: await page.screenshot() });
  await page.getByLabel(words.show.pictureWhat).fill("A form");
  await page.getByRole("button", { name: words.show.upload }).click();
  await page.getByText(words.show.uploaded).waitFor();
  await look(page, "setup-show");
  await onward(page);
  await page.getByRole("heading", { name: words.nights.heading }).waitFor();
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), title, "HTML stays text");
}

async function dates(mine: Fan): Promise<void> {
  const { page } = mine;
  const at = (name: string, i: number) => page.locator(`#${name}-${i}`);
  await at("venue", 0).selectOption({ label: "Coliseu do Tejo" });
  const year = days(365).getUTCFullYear() + 1;
  const spring = new Date(Date.UTC(year, 2, 31));
  spring.setUTCDate(31 - spring.getUTCDay()); // the clocks go forward on the last Sunday of March
  await at("starts", 0).fill(`${spring.toISOString().slice(0, 10)}T01:30`);
  await onward(page);
  await page.getByText(words.wrong.skipped(lisbon)).waitFor();
  await at("starts", 0).fill(shown(days(60), lisbon));
  await at("doors", 0).fill(shown(days(61), lisbon));
  await onward(page);
  await page.getByText(words.wrong.doors).waitFor();
  await at("doors", 0).fill("");
  await page.getByRole("button", { name: words.nights.day }).click();
  await page.getByRole("button", { name: words.nights.add, exact: true }).click();
  await at("venue", 2).selectOption({ label: "Gasometer" });
  await at("starts", 2).fill(shown(days(70), "Europe/Vienna"));
  await page.getByText(/^Kept at/).waitFor();

  // A reload loses nothing.
  await page.reload();
  await at("starts", 2).waitFor();
  assert.equal(await at("starts", 2).inputValue(), shown(days(70), "Europe/Vienna").slice(0, 16));
  await look(page, "setup-dates");
  await fits(page);

  // Somebody else changes it meanwhile: this one is told, and chooses.
  const other = await mine.secondTab();
  await other.page.locator("#starts-2").fill(shown(days(71), "Europe/Vienna"));
  await other.page.getByText(/^Kept at/).waitFor();
  await other.page.close();
  await at("starts", 2).fill(shown(days(72), "Europe/Vienna"));
  await page.getByText(words.changed).waitFor();
  await look(page, "setup-conflict");
  await page.getByRole("button", { name: words.mine }).click();
  await page.getByText(words.changed).waitFor({ state: "detached" });
  assert.equal(await at("starts", 2).inputValue(), shown(days(72), "Europe/Vienna"));
  await onward(page);
}

async function prices(page: Page): Promise<void> {
  await page.getByRole("heading", { name: words.prices.heading }).waitFor();
  await onward(page);
  await page.getByText(words.wrong.price).first().waitFor();
  for (const house of ["Coliseu do Tejo", "Gasometer"]) {
    await page.getByLabel(words.prices.price("Stalls", house)).fill("75");
    await page.getByLabel(words.prices.price("Floor", house)).fill("45,50");
  }
  await page.getByRole("checkbox", { name: /^Date 2 / }).check();
  const second = page.locator("#own-1-0");
  assert.equal(await second.inputValue(), "75", "a date's own prices begin as those of its venue");
  await second.fill("a lot");
  await onward(page);
  await page.getByText(words.wrong.price).waitFor();
  await second.fill("95");
  await page.getByRole("button", { name: words.prices.add }).click();
  await page.getByLabel(words.prices.part).selectOption("Floor");
  await page.getByLabel(words.prices.count).fill("50");
  await page.getByLabel(words.prices.at).fill(shown(days(30), lisbon));
  await look(page, "setup-prices");
  await fits(page);
  await onward(page);
}

async function terms(page: Page): Promise<void> {
  await page.getByRole("heading", { name: words.sale.heading }).waitFor();
  assert.equal(await page.locator("#id").inputValue(), sale);
  await page.locator("#opens").fill(shown(days(10), lisbon));
  await page.locator("#lobbyCloses").fill(shown(days(11), lisbon));
  await page.locator("#ends").fill(shown(days(50), lisbon));
  await page.locator("#perPerson").fill("3");
  assert.equal(await page.locator("#notice").inputValue(), "10");
  await onward(page);
  await page.getByText(words.wrong.lobby).waitFor();
  await page.getByText(words.wrong.perPerson).waitFor();
  await page.locator("#lobbyCloses").fill(shown(days(9), lisbon));
  await complains(page); // of two fields that are wrong one still is
  await page.getByText(/^Kept at/).waitFor();
  await complains(page);
  await page.locator("#perPerson").fill("8");
  await mended(page);
  await page.locator("#refundDays").fill("7");
  await page.locator("#transferDays").fill("2");
  await page.locator("#names").selectOption("on");
  await page.locator("#nameDays").fill("0");
  await page.locator("#notice").fill("200");
  await onward(page);
  await page.getByText(words.wrong.between(1, 365)).waitFor();
  await page.getByText(words.wrong.between(1, 120)).waitFor();
  await page.locator("#nameDays").fill("1");
  await page.locator("#notice").fill("30");
  await page.locator("#laneTitle").fill("Fan club");
  await look(page, "setup-sale", page.locator("#transferDays"));
  await look(page, "setup-notice", page.locator("#notice"));
  await fits(page);

  // The way back, and the browser's own.
  await page.getByRole("button", { name: words.back }).click();
  await page.getByRole("heading", { name: words.prices.heading }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: words.sale.heading }).waitFor();
  assert.equal(await page.locator("#refundDays").inputValue(), "7");
  await onward(page);
}

async function opening(mine: Fan): Promise<void> {
  const { page, stack } = mine;
  await page.getByRole("heading", { name: words.open.seen }).waitFor();
  await page.frameLocator("iframe").locator("section.stand h1").waitFor();
  await page.getByText("€45.50").first().waitFor();
  assert.equal(await page.getByText("€95.00").count(), 1, "the second date alone has prices of its own");
  await page.getByText(words.summary.given(2, 0)).waitFor();
  await page.getByText(words.summary.named(1)).waitFor();
  await look(page, "setup-rules", page.locator(".rules"));
  await page.getByRole("button", { name: words.open.make }).click();
  await page.locator('[data-item="published"][data-state="stop"]').waitFor();
  const kept = await page.request.get(`${stack.url}/api/v1/organizer/programs/${sale}`, { headers: { Authorization: `Bearer ${stack.staffKey}` } });
  assert.equal((await kept.json()).sale.turn_notice, 1800, "half an hour, in seconds");
  assert.equal(await page.locator(".ready li").count(), 11);
  assert.equal((await page.request.get(`${stack.url}/api/v1/sales/${sale}`)).status(), 404, "fans see nothing of it yet");
  await look(page, "setup-open", page.locator(".ready"));
  await fits(page);
  await page.getByRole("button", { name: words.open.go }).click();
  await page.getByText(words.open.gone).waitFor();
  await page.locator('[data-item="published"][data-state="ok"]').waitFor();
  await look(page, "setup-opened", page.getByText(words.open.gone));
}

/** Codes for the line of its own: made and saved once, counted, and withdrawn. */
async function codes(mine: Fan): Promise<void> {
  const { page } = mine;
  await page.locator("#codes-name").fill("Fan Club");
  await page.getByRole("button", { name: words.codes.make }).click();
  await page.getByText(words.wrong.codes).waitFor();
  await complains(page);
  await page.locator("#codes-name").fill("fan-club");
  await mended(page);
  await page.locator("#codes-count").fill("3");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: words.codes.make }).click()]);
  assert.equal(file.suggestedFilename(), `${sale}-fan-club.csv`);
  const lines = (await readFile(await file.path(), "utf8")).trim().split("\r\n");
  assert.equal(lines.length, 4);
  assert.match(lines[3]!, /^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/);
  await page.getByText(words.codes.counts(3, 0)).waitFor();
  await page.locator('[data-item="codes"][data-state="ok"]').waitFor();
  await look(page, "setup-codes", page.locator("#codes"));
  await fits(page);

  const member = await mine.another(390);
  await member.arrive();
  await member.sees("lobby");
  await member.button(lane.enter).click();
  await member.page.getByLabel(lane.label).fill(lines[1]!);
  await member.button(lane.look).click();
  await member.page.getByText(lane.leads("Fan club")).waitFor();
  await member.button(lane.move).click();
  await member.page.getByText(lane.here("Fan club", 30)).waitFor();
  await member.context.close();
  await page.reload();
  await page.getByText(words.codes.counts(3, 1)).waitFor();

  await page.getByRole("button", { name: words.codes.withdrawOf("fan-club") }).click();
  await page.getByText(words.codes.over, { exact: true }).waitFor();
  const late = await mine.another(390);
  await late.arrive();
  await late.sees("lobby");
  await late.button(lane.enter).click();
  await late.page.getByLabel(lane.label).fill(lines[2]!);
  await late.button(lane.look).click();
  await late.page.getByRole("alert").filter({ hasText: "taken this code back" }).waitFor();
  mine.troubles.length = 0; // the browser itself tells of a 410
  await late.context.close();
}

/** A fan waits in the lobby; the organizer opens earlier, says why, and the fan comes in. */
async function moved(mine: Fan): Promise<void> {
  const { page } = mine;
  const other = await mine.another(390);
  await other.arrive();
  await other.sees("lobby");
  await page.getByRole("button", { name: words.steps.sale }).click();
  await page.locator("#lobbyCloses").fill(shown(new Date(Date.now() - 120_000), lisbon));
  await page.locator("#opens").fill(shown(new Date(Date.now() - 60_000), lisbon));
  await onward(page);
  await page.getByLabel(words.open.reason).fill("The band wants to see you sooner.");
  await page.getByRole("button", { name: words.open.apply }).click();
  await page.locator('[data-item="published"][data-state="warn"]').waitFor();
  await page.getByLabel(words.open.reason).fill("The band wants to see you sooner.");
  await page.getByRole("button", { name: words.open.go }).click();
  await page.locator('[data-item="published"][data-state="ok"]').waitFor();
  await other.sees("offered", "waiting");
  await other.comeIn();
  await other.context.close();
  await page.reload();
  await page.getByText(words.open.gone).waitFor();
  const shifts = await movedInLoad(page);
  assert.ok(shifts.value < 0.1, `the page moves while it is loaded: ${shifts.of}`);
}
