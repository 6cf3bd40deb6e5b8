import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { desks, money, offers, order, sales as words, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { type Fan, until } from "./fan";
import { letters } from "./letters";
import { fits, look, settled } from "./look";
import { type Stack, sql } from "./stack";

/** A fan buys; the organizer sees it come in, finds who it was, gives one ticket back, takes the files away, and ends the show: nothing can be bought after this. */
export async function sales(fan: Fan): Promise<void> {
  const { page, stack, context } = fan;
  const desk = await context.newPage();
  await desk.goto(`${stack.url}/desk/sales`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await look(desk, "sales-sign-in");
  await desk.goto("about:blank");
  await desk.goto(`${stack.url}/desk/sales#key=${stack.staffKey}`);
  await desk.getByRole("heading", { name: words.funnel }).waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");
  const bought = async () => Number((await desk.locator(".funnel li").last().locator("b").textContent())!.replace(/\D/g, ""));
  const before = await bought();

  await fan.arrive();
  await fan.comeIn();
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  await page.getByLabel(shop.pay.email).fill("=who@example.com");
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.see }).click();
  await hasTickets(fan, 2);

  await desk.bringToFront();
  await until(async () => (await bought()) > before, "the sale is not seen on the desk");
  await until(async () => (await desk.locator(".time rect").count()) > 0, "no bar over time");
  await look(desk, "sales", desk.locator(".heading"));
  await look(desk, "sales-map", desk.locator(".map-card"));

  await desk.getByLabel(words.email).fill("WHO@example");
  await desk.getByLabel(words.state).selectOption("paid");
  await desk.getByRole("button", { name: words.find }).press("Enter");
  await desk.locator(".orders").getByText(words.found(1, false), { exact: true }).waitFor();
  await look(desk, "sales-found", desk.locator(".orders"));
  await desk.locator(".found button").first().click();
  const box = desk.locator(".open fieldset .check").first();
  await box.waitFor();
  await desk.getByRole("button", { name: words.cancel.go }).click();
  await desk.getByText(words.cancel.nothing).waitFor();
  await box.click();
  await desk.getByLabel(words.cancel.reason).fill("a broken seat");
  await look(desk, "sales-cancel", desk.locator(".open"));
  await desk.getByRole("button", { name: words.cancel.go }).click();
  await desk.getByText(words.cancel.done).waitFor();
  await settled(desk);
  assert.equal(await desk.locator(".open ul li", { hasText: words.ticketStates.canceled! }).count(), 1, "one ticket is canceled");

  const [download] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: words.guestsFile }).click()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  assert.equal(download.suggestedFilename(), "orders.csv");
  assert.ok(text.startsWith("performance,title,") && text.includes(",'=who@example.com\r\n"), text);

  await writes(desk, fan);
  await offered(desk, fan);
  await counted(desk, fan);
  if (stack.fresh) await ends(desk, fan);
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await desk.close();
}

/** The organizer writes to everybody who holds a ticket, having seen to how many; each gets it once. */
async function writes(desk: Page, { stack }: Fan): Promise<void> {
  const { notices: text } = words;
  const subject = `Another hall ${Date.now()}`;
  const part = desk.locator(".notices");
  await part.getByRole("button", { name: text.show }).click();
  await part.getByText(text.missing).waitFor();
  await part.getByLabel(text.subject).fill(subject);
  await part.getByLabel(text.body).fill("We play next door.\n\n<b>Bring a coat</b>, it is cold.");
  await look(desk, "sales-write", part);
  await part.getByRole("button", { name: text.show }).press("Enter");
  const dialog = desk.getByRole("dialog");
  await dialog.getByText("<b>Bring a coat</b>, it is cold.").waitFor();
  await look(desk, "sales-write-preview");
  await dialog.getByRole("button", { name: text.no }).click();
  assert.equal(await part.getByLabel(text.subject).inputValue(), subject, "what was written is still there");
  await part.getByRole("button", { name: text.show }).click();
  await dialog.getByRole("button", { name: /^Send to / }).click();
  await desk.getByText(text.done).waitFor();
  assert.equal(await part.getByLabel(text.subject).inputValue(), "", "and gone once it is sent off");
  const sent = part.locator(".sent > li", { hasText: subject });
  await sent.getByText(/^Done: /).waitFor({ timeout: 60_000 });
  await look(desk, "sales-written", part.locator(".sent"));
  const came = (await letters(stack)).filter((each) => each.subject === subject);
  const to = came.map((each) => each.to.toLowerCase());
  assert.ok(to.includes("=who@example.com") && new Set(to).size === to.length, `each has it once: ${to.join(" ")}`);
  if (stack.fresh) await refused(desk, stack);
  assert.ok(came.every((each) => each.text.startsWith("We play next door.\n\n<b>Bring a coat</b>, it is cold.\n\n-- \n")), came[0]?.text);
}

/** An address that the mail server refuses is told, with its order. The dev stack's takes all: so it is written down. */
async function refused(desk: Page, stack: Stack): Promise<void> {
  const { notices: text } = words;
  sql(stack, `update notice_recipients set state = 'failed', problem = 'the mail server refused it for good, with 550'`);
  await desk.reload();
  const part = desk.locator(".notices");
  await part.getByRole("button", { name: text.whoFailed }).click();
  await part.getByText("=who@example.com").waitFor();
  await fits(desk);
  await look(desk, "sales-write-failed", part.locator(".sent"));
  await part.locator(".refused li", { hasText: "=who@example.com" }).getByRole("button").click(); // other journeys' buyers are there, too
  await desk.locator(".open").getByText("=who@example.com").waitFor();
}

/** Who holds tickets is told in groups, or not at all; and what plan and fee there are, with the settlement. */
async function counted(desk: Page, { stack }: Fan): Promise<void> {
  const part = desk.locator(".audience");
  await part.getByText(words.audience.lead).waitFor();
  await look(desk, "sales-audience", part);
  // So many do not hold tickets here: this is the answer of a larger show.
  const groups = (...of: [string, number][]) => of.map(([name, people]) => ({ name, people }));
  const crowd = { people: 140, ages: groups(["18-24", 45], ["25-34", 30], ["others", 15], ["unknown", 50]), countries: groups(["PT", 60], ["ES", 20], ["others", 10], ["unknown", 50]) };
  await desk.route("**/api/v1/organizer/audience?*", (route) => route.fulfill({ json: crowd }));
  await desk.reload();
  await part.getByRole("rowheader", { name: "Portugal" }).waitFor();
  await part.getByRole("rowheader", { name: "18–24" }).waitFor();
  await fits(desk);
  await look(desk, "sales-audience-groups", part);
  await desk.unroute("**/api/v1/organizer/audience?*");
  const pages = desk.getByRole("navigation", { name: desks.label });
  await pages.getByRole("link", { name: desks.money }).click();
  await desk.getByRole("heading", { name: money.heading, level: 1 }).waitFor();
  await desk.locator("main .card").first().waitFor();
  await fits(desk);
  await look(desk, "money");
  await pages.getByRole("link", { name: desks.counter }).waitFor();
  if (stack.fresh) await ofAccount(desk, stack);
  await pages.getByRole("link", { name: desks.sales }).press("Enter");
  await desk.getByRole("heading", { name: words.funnel }).waitFor();
}

/** The organizer makes a coupon, gives it out, and takes it back; fans find it meanwhile. */
async function offered(desk: Page, { context, stack }: Fan): Promise<void> {
  const title = `Half the price ${Date.now()}`;
  const pages = desk.getByRole("navigation", { name: desks.label });
  await pages.getByRole("link", { name: desks.coupons }).click();
  await desk.getByRole("heading", { name: offers.heading, level: 1 }).waitFor();
  const first = desk.getByLabel(offers.shopName);
  await first.or(desk.getByRole("heading", { name: offers.new })).waitFor();
  if (await first.isVisible()) {
    await look(desk, "offers-first");
    await first.fill("The Lanterns");
    await first.press("Enter");
  }
  const form = desk.locator("form.new");
  await form.getByRole("button", { name: offers.make }).click();
  await form.getByText(offers.wrong.title).waitFor();
  assert.equal(await form.getByLabel(offers.fields.title).evaluate((field) => field === document.activeElement), true, "what is wrong has the focus");
  await form.getByLabel(offers.fields.title).fill(title);
  await form.getByLabel(offers.fields.worth).fill("50");
  await form.getByLabel(offers.fields.stock, { exact: true }).fill("20");
  await look(desk, "offers-new", form);
  await form.getByLabel(offers.fields.stock, { exact: true }).press("Enter");
  await desk.getByText(offers.made).waitFor();
  await desk.getByRole("button", { name: offers.about(offers.publish, title) }).click();
  await desk.getByText(offers.published).waitFor();
  const shelf = await context.newPage();
  await shelf.goto(`${stack.url}/coupons`);
  await shelf.getByText(title).first().waitFor();
  await shelf.close();
  await desk.bringToFront();
  await desk.getByRole("button", { name: offers.about(offers.look, title) }).click();
  await desk.locator(".sent dl").waitFor();
  await fits(desk);
  await look(desk, "offers", desk.locator(".sent"));
  await desk.getByRole("button", { name: offers.about(offers.withdraw, title) }).click();
  const dialog = desk.getByRole("dialog");
  await dialog.getByRole("button", { name: offers.withdrawYes }).click();
  await dialog.getByText(offers.why).waitFor();
  await dialog.getByLabel(offers.reason).fill("a mistake");
  await dialog.getByLabel(offers.reason).press("Enter");
  await desk.getByText(offers.withdrawn).waitFor();
  await pages.getByRole("link", { name: desks.sales }).click();
  await desk.getByRole("heading", { name: words.funnel }).waitFor();
}

/** An account that is paid for the show has a plan, with its fee. */
async function ofAccount(desk: Page, stack: Stack): Promise<void> {
  sql(stack, `insert into payment_accounts (name, provider_account, charges) values ('lanterns', 'acct_lanterns', true); update performances set account = 'lanterns'`);
  try {
    const plan = JSON.parse(readFileSync("../docs/plan.json", "utf8")) as { id: string; name: string };
    await asked(stack, "PUT", `/plans/${plan.id}`, plan, { "If-None-Match": "*" });
    await asked(stack, "PUT", "/accounts/lanterns/plan", { plan: plan.id });
    await desk.reload();
    await desk.getByText(plan.name, { exact: true }).first().waitFor();
    await desk.locator(".plan dl div", { hasText: money.rooms }).getByText(/ of 2$/).waitFor();
    await desk.getByRole("cell", { name: "€0.30" }).waitFor();
    await desk.locator(".settlement tr.sum").first().waitFor();
    await fits(desk);
    await look(desk, "money-plan");
    await look(desk, "money-settlement", desk.locator(".settlement"));
    const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: money.csv }).click()]);
    assert.equal(file.suggestedFilename(), "accounting.csv");
  } finally {
    sql(stack, `update performances set account = null`);
  }
}

/** The show is postponed, put on again by somebody else, and canceled; everybody gets their money back, but for who paid at the box office. */
async function ends(desk: Page, { page, stack }: Fan): Promise<void> {
  const { standing: text, refundAll: back, settlement } = words;
  const performance = await desk.locator(".choice select").inputValue();
  const state = desk.locator(".stands", { hasText: text.performance });
  const step = (to: keyof typeof text.steps) => desk.getByRole("button", { name: text.about(text.steps[to], text.performance), exact: true });
  const dialog = desk.getByRole("dialog");
  const because = async (reason: string) => {
    await dialog.getByLabel(words.cancel.reason).fill(reason);
    await dialog.getByLabel(words.cancel.reason).press("Enter");
    await dialog.waitFor({ state: "detached" });
  };
  await atTheCounter(stack, performance);
  const before = await desk.locator(".money dl div", { hasText: words.refunded }).locator("dd").textContent();

  await state.getByText(text.shows.scheduled, { exact: true }).waitFor();
  await look(desk, "sales-state", desk.locator(".state"));
  const event = desk.locator(".stands").nth(1);
  const ofEvent = async (to: keyof typeof text.steps, reason: string) => {
    await event.getByRole("button", { name: new RegExp(`^${text.steps[to]}`) }).click();
    await because(reason);
    await desk.getByText(text.done.event[to]).waitFor();
  };
  await ofEvent("postponed", "the whole tour is later");
  await event.getByText(text.events.postponed, { exact: true }).waitFor();
  await state.getByText(text.shows.postponed, { exact: true }).waitFor();
  await look(desk, "sales-event-postponed", desk.locator(".state"));
  await ofEvent("on", "the tour is on");
  await event.getByText(text.events.published, { exact: true }).waitFor();
  await state.getByText(text.shows.scheduled, { exact: true }).waitFor();
  await step("postponed").click();
  await dialog.getByText(/ good for the new day/).waitFor();
  await dialog.getByRole("button", { name: text.yes.postponed }).click();
  await dialog.getByText(words.cancel.missing).waitFor();
  await because("the singer is ill");
  await desk.getByText(text.done.performance.postponed).waitFor();
  await state.getByText(text.shows.postponed, { exact: true }).waitFor();

  await onAgain(stack, performance);
  await step("canceled").click();
  await because("the roof leaks");
  await desk.getByText(words.refusals["changed-meanwhile"]!).waitFor();
  await state.getByText(text.shows.scheduled, { exact: true }).waitFor();
  await step("canceled").click();
  await look(desk, "sales-cancel-all");
  await because("the roof leaks");
  await desk.getByText(text.done.performance.canceled).waitFor();
  assert.equal(await step("on").count(), 0, "what is canceled stays so");

  await desk.getByRole("button", { name: back.go }).click();
  await dialog.getByText(/cannot be stopped/).waitFor();
  await because("the roof leaks");
  await desk.getByText(back.over(true)).waitFor({ timeout: 30_000 });
  await desk.locator(".refused").getByText(back.why("sold-at-counter")).first().waitFor();
  await look(desk, "sales-refunded", desk.locator(".refund-all"));
  const figure = async (name: string) => Number((await desk.locator(".refund-all dl div", { hasText: name }).locator("dd").textContent())!.replace(/\D/g, ""));
  assert.ok((await figure(back.refunded)) > 0 && (await figure(back.failed)) === 0 && (await figure(back.left)) === 0, "the money is back");

  await page.reload();
  await page.getByText(`· ${order.state.canceled}`).waitFor();
  await ofEvent("canceled", "the tour is over");
  await event.getByText(text.events.canceled, { exact: true }).waitFor();
  assert.equal(await desk.locator(".stands button").count(), 0, "nothing follows what is canceled");

  const sum = async (line: string) => desk.locator(".settlement tr", { hasText: line }).locator("td").first().textContent();
  const told = await desk.locator(".money dl div", { hasText: words.refunded }).locator("dd").textContent();
  assert.notEqual(told, before, "more has gone back");
  await until(async () => (await sum(settlement.lines.refunded)) === told, "the settlement is that of the money");
  assert.equal(await desk.locator(".settlement tr", { hasText: settlement.lines.to_refund }).count(), 0, "nothing is still to be given back");
  await look(desk, "sales-settlement", desk.locator(".settlement"));
  await fits(desk);
  const [file] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: settlement.saleFile }).click()]);
  assert.equal(file.suggestedFilename(), "accounting.csv");
}

const asked = async <T>(stack: Stack, method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> => {
  const answer = await fetch(`${stack.url}/api/v1/organizer${path}`, {
    method,
    headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.ok, await answer.clone().text());
  return (await answer.json()) as T;
};

/** The box office sells a ticket for cash: it is given back there. */
async function atTheCounter(stack: Stack, performance: string): Promise<void> {
  const { tiers } = (await (await fetch(`${stack.url}/api/v1/performances/${performance}`)).json()) as { tiers: { id: string }[] };
  const key = () => ({ "Idempotency-Key": crypto.randomUUID() });
  const at = `/performances/${performance}/counter`;
  const hold = await asked<{ id: string; total: object }>(stack, "POST", `${at}/holds`, { tiers: [{ tier: tiers.at(-1)!.id, quantity: 1 }] }, key());
  await asked(stack, "POST", `${at}/orders`, { hold: hold.id, tender: "cash", total: hold.total }, key());
}

/** Somebody else puts it on again, which this page does not know. */
async function onAgain(stack: Stack, performance: string): Promise<void> {
  const { events } = await asked<{ events: { version: number; performances: string[] }[] }>(stack, "GET", "/events?limit=200", undefined);
  const { version } = events.find((each) => each.performances.includes(performance))!;
  await asked(stack, "PUT", `/performances/${performance}/state?reason=well+again`, { state: "scheduled" }, { "If-Match": `"${version}"` });
}
