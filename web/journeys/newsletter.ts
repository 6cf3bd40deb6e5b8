import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { account, letters as words, shop } from "../src/messages/en";
import type { Fan } from "./fan";
import { until } from "./fan";
import { lettersTo, linkTo } from "./letters";
import { fits, look } from "./look";
import type { Stack } from "./stack";

const text = words.newsletter;
const password = "five lanterns in a garden";

/** A guest ticks a box, confirms it, gets a newsletter and ends it by its link; with an account they take it up again, and read there what came. */
export async function newsletter(fan: Fan): Promise<void> {
  const { page, stack, context } = fan;
  const email = `reader.${Date.now()}@example.com`;
  await buys(fan, email);
  await page.goto(await link(fan, email, "confirm"));
  await page.getByRole("heading", { name: "Do you want the newsletter?" }).waitFor();
  await look(page, "newsletter-confirm");
  await fits(page);
  await page.getByRole("button").press("Enter");
  await page.getByRole("heading", { name: "You get it from now on" }).waitFor();

  const desk = await context.newPage();
  await desk.goto(`${stack.url}/desk/letters#key=${stack.staffKey}`);
  await sends(desk, "<i>A new season</i>", 1);
  await page.goto(await link(fan, email, "leave"));
  await page.getByRole("heading", { name: "No more newsletters?" }).waitFor();
  await page.getByRole("button").press("Enter");
  await page.getByRole("heading", { name: "You get no more" }).waitFor();
  await look(page, "newsletter-left");
  await desk.getByLabel(text.subject).fill("Nobody gets this");
  await desk.getByLabel(text.text).fill("Nobody.");
  await desk.getByRole("button", { name: text.show }).click();
  await desk.getByRole("dialog", { name: text.nobody }).getByRole("button", { name: text.close }).click();

  await hasAnAccount(fan, email);
  await takesItUp(page);
  await sends(desk, "Again", 1);
  await until(async () => (await lettersTo(stack, email)).some((each) => each.subject === "Again"), "the second newsletter");
  await reads(page, stack);
}

async function buys(fan: Fan, email: string): Promise<void> {
  const { page, stack } = fan;
  await fan.arrive();
  await fan.comeIn();
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  const box = page.getByLabel(shop.pay.newsletter);
  assert.equal(await box.isChecked(), false, "nobody else has ticked it");
  await page.getByLabel(shop.pay.email).fill(email);
  await box.focus();
  await page.keyboard.press("Space");
  await look(page, "newsletter-box", box);
  await fits(page);
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.see }).waitFor();
  await until(async () => (await lettersTo(stack, email)).length >= 2, "the confirmation of the order, and the letter that asks");
}

/** The link of the newest letter that leads to a step. */
async function link({ stack }: Fan, email: string, step: string): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    found = (await lettersTo(stack, email)).map((each) => new RegExp(`http\\S*/newsletters/\\S*/${step}\\?key=[\\w-]+`).exec(each.text)?.[0]).find((each) => each !== undefined);
    return found !== undefined;
  }, `a letter to ${email} with a link to ${step}`);
  return found!;
}

async function sends(desk: Page, subject: string, readers: number): Promise<void> {
  await desk.bringToFront();
  await desk.getByLabel(text.subject).fill(subject);
  await desk.getByLabel(text.text).fill("The new season begins in May.\n\nCome & <script>see</script>.");
  await desk.getByRole("button", { name: text.show }).press("Enter");
  const dialog = desk.getByRole("dialog", { name: text.ask(readers) });
  await dialog.waitFor();
  await desk.frameLocator("dialog iframe").getByText("Come & <script>see</script>.").waitFor();
  await look(desk, "newsletter-asks");
  await fits(desk);
  await dialog.getByRole("button", { name: text.yes(readers) }).press("Enter");
  await desk.getByText(text.done).waitFor();
  const again = desk.getByRole("button", { name: text.look });
  await until(async () => {
    if ((await again.count()) > 0) await again.first().click();
    return (await desk.getByText(text.state(readers, readers, 0)).count()) > 0;
  }, "the newsletter is sent");
  await look(desk, "newsletter-sent", desk.locator("#newsletter"));
}

/** With the orders of the address the account has its newsletters, too. */
async function hasAnAccount({ page, stack }: Fan, email: string): Promise<void> {
  await page.bringToFront();
  await page.goto(`${stack.url}/account/sign-up`);
  await page.getByLabel(account.email).fill(email);
  await page.getByLabel(account.password).fill(password);
  await page.getByLabel(account.password).press("Enter");
  await page.getByText(account.sent.signUp(email)).waitFor();
  await page.goto("about:blank");
  await page.goto(await linkTo(stack, email, "confirm"));
  await page.getByLabel(account.password).fill(password);
  await page.getByRole("button", { name: account.confirm.submit }).click();
  await page.getByText(account.orders.none).waitFor();
  await page.getByRole("button", { name: account.orders.claimGo }).click();
  await page.getByText(account.orders.claimed(1)).waitFor();
}

async function takesItUp(page: Page): Promise<void> {
  await page.getByRole("link", { name: account.nav.newsletters }).click();
  await page.getByText("Ended").waitFor();
  const box = page.getByRole("checkbox");
  assert.equal(await box.isChecked(), false);
  await look(page, "account-newsletters");
  await fits(page);
  await box.focus();
  await page.keyboard.press("Space");
  await page.getByText("You agreed").waitFor();
  await look(page, "account-newsletters-on");
}

/** What came by mail is in the account, new until it is opened. */
async function reads(page: Page, stack: Stack): Promise<void> {
  const messages = account.messages;
  await page.bringToFront();
  await page.getByRole("link", { name: account.nav.messages }).click();
  await page.getByText(messages.unread(1)).waitFor();
  await look(page, "account-messages");
  await fits(page);
  await page.locator("summary", { hasText: "Again" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("Come & <script>see</script>.").waitFor();
  await page.getByText(messages.unread(0)).waitFor();
  assert.match((await page.locator("details a").first().getAttribute("href")) ?? "", /\/newsletters\/.*\/leave\?key=/);
  await look(page, "account-message-read");
  await fits(page);
  await page.getByRole("button", { name: messages.again }).press("Enter");
  await page.getByText(messages.unread(1)).waitFor();
  await chooses(page, stack);
}

/** How they are told: a text message needs a number, and nobody gives another's. */
async function chooses(page: Page, stack: Stack): Promise<void> {
  const channels = account.channels;
  const number = "+351912345678";
  const save = page.getByRole("button", { name: channels.save });
  await page.getByLabel(channels.textOf(channels.kinds.turn)).check();
  await page.getByLabel(channels.mailOf(channels.kinds.sale)).uncheck();
  await save.click();
  await page.getByText(channels.noPhone).waitFor();
  await look(page, "account-channels", page.locator("#channels"));
  await fits(page);
  await page.getByLabel(channels.phone).fill("+351 912 345 678");
  await page.getByLabel(channels.phone).press("Enter");
  await page.getByText(channels.saved).waitFor();
  const code = page.getByLabel(channels.code.label);
  await page.waitForFunction((label) => (document.activeElement as HTMLInputElement | null)?.labels?.[0]?.textContent === label, channels.code.label); // the code is what comes next
  assert.deepEqual([await code.getAttribute("autocomplete"), await code.getAttribute("inputmode")], ["one-time-code", "numeric"]);
  await page.getByText(channels.unconfirmed).waitFor();
  await look(page, "account-phone-code", page.locator("#phone-code"));
  await fits(page);
  await page.reload();
  await page.getByText(channels.code.sent(number)).waitFor();
  const sent = await textedTo(stack, number, 1);
  await code.fill(sent === "000000" ? "111111" : "000000");
  await code.press("Enter");
  await page.getByText(channels.code.wrong).waitFor();
  await look(page, "account-phone-wrong", page.locator("#phone-code"));
  await page.getByRole("button", { name: channels.code.again }).press("Enter");
  await page.getByText(channels.code.sentAgain).waitFor();
  await code.fill(await textedTo(stack, number, 2));
  await code.press("Enter");
  await page.getByText(channels.code.done).waitFor();
  await page.getByText(channels.confirmed).waitFor();
  assert.equal(await code.count(), 0);
  await page.waitForFunction((done) => document.activeElement?.textContent === done, channels.code.done); // and not nowhere
  await look(page, "account-phone-confirmed", page.locator("#channels"));
  await fits(page);
  await page.reload();
  await page.getByText(channels.confirmed).waitFor();
  assert.equal(await page.getByLabel(channels.phone).inputValue(), number);
  assert.equal(await page.getByLabel(channels.textOf(channels.kinds.turn)).isChecked(), true);
  assert.equal(await page.getByLabel(channels.mailOf(channels.kinds.sale)).isChecked(), false);
}

/** The code of the newest of so many text messages to a number. */
async function textedTo(stack: Stack, number: string, many: number): Promise<string> {
  let texts: string[] = [];
  await until(async () => {
    texts = (await lettersTo(stack, number)).map((each) => each.text);
    return texts.length === many;
  }, `${many} text messages to ${number}`);
  const [, code] = /^(\d{6}) .*#\1$/s.exec(texts[0]!) ?? [];
  assert.ok(code, texts[0]);
  return code;
}
