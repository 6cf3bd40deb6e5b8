import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { account as words, order as orderWords, shop } from "../src/messages/en";
import { hasTickets } from "./buy";
import { Fan, until } from "./fan";
import { codeOf, lettersTo, linkTo } from "./letters";
import { fits, look, settled, shiftsOfLoad } from "./look";

const password = "seven lanterns over water";
const better = "eight lanterns over water";

/** From no account to one with a second factor and an order in it, on two devices, and to none again. */
export async function account(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  const email = `mia.${Date.now()}@example.com`;
  await atTheDoor(fan, email);
  await opens(fan, email);
  await tells(page);
  const phone = await fan.another(390);
  await phone.page.goto(`${stack.url}/account`);
  await signsIn(phone.page, email, password);
  await phone.page.getByRole("heading", { name: words.orders.heading }).waitFor();
  const kept = await secures(fan, phone, email);
  await signsOutThere(page, phone);
  await phone.context.close();
  await buys(fan, email);
  await forgets(fan, email, kept.key);
  const moved = `moved.${email}`;
  await moves(fan, email, moved, kept.code);
  await leavesForGood(fan, moved);
}

const box = (page: Page, heading: string) => page.locator(".box").filter({ has: page.getByRole("heading", { name: heading, exact: true }) });

async function signsIn(page: Page, email: string, secret: string): Promise<void> {
  await page.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await page.getByLabel(words.email).fill(email);
  await page.getByLabel(words.password).fill(secret);
  await page.getByLabel(words.password).press("Enter");
}

/** On a narrow screen, and with letters twice as large, nothing stands out beside the page. */
async function narrow(page: Page): Promise<void> {
  const before = page.viewportSize()!;
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
  await fits(page);
  await page.evaluate(() => (document.documentElement.style.fontSize = ""));
  await page.setViewportSize(before);
}

async function atTheDoor({ page, stack }: Fan, email: string): Promise<void> {
  await page.goto(`${stack.url}/account`);
  await page.getByRole("heading", { name: words.signIn.heading }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the sign-in moves while it is loaded");
  await look(page, "account-sign-in");
  await narrow(page);
  await signsIn(page, email, password);
  await page.getByText("The e-mail address or the password is wrong.").waitFor();

  await page.getByRole("link", { name: words.signIn.signUp, exact: true }).click();
  await page.getByLabel(words.email).fill(email);
  await page.getByLabel(words.password).fill("short");
  await page.getByRole("button", { name: words.signUp.submit }).click();
  await page.getByText("A password has 10 to 200 characters").waitFor();
  await look(page, "account-sign-up");
  await narrow(page);
  await page.getByLabel(words.password).fill(password);
  await page.getByLabel(words.password).press("Enter");
  await page.getByText(words.sent.signUp(email)).waitFor();
  await look(page, "account-sent");

  await page.goto(`${stack.url}/account`); // the letter was not opened yet
  await signsIn(page, email, password);
  await page.getByText("is not confirmed yet").waitFor();
}

async function opens({ page, stack }: Fan, email: string): Promise<void> {
  const link = await linkTo(stack, email, "confirm");
  assert.ok(link.startsWith(`${stack.url}/account#`), link);
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByRole("heading", { name: words.confirm.heading }).waitFor();
  await look(page, "account-confirm");
  await page.getByLabel(words.password).fill("not that password");
  await page.getByRole("button", { name: words.confirm.submit }).click();
  await page.getByText("This is not your password.").waitFor();
  await page.getByLabel(words.password).fill(password);
  await page.getByRole("button", { name: words.confirm.submit }).click();
  await page.getByText(words.orders.none).waitFor();
  assert.equal(new URL(page.url()).hash, "", "the letter is used up");
  await look(page, "account-empty");

  await page.goto("about:blank");
  await page.goto(link); // it is good once
  await page.getByLabel(words.password).fill(password);
  await page.getByRole("button", { name: words.confirm.submit }).click();
  await page.getByText(words.linkOver).waitFor();
  await page.getByRole("link", { name: words.askAgain }).waitFor();
  await look(page, "account-link-over");
}

/** What somebody says of themselves stays, also what is markup. */
async function tells(page: Page): Promise<void> {
  const name = 'Mia <img src=x onerror="alert(1)">';
  await page.goto(new URL("/account/profile", page.url()).href);
  await page.getByLabel(words.profile.name).fill(name);
  await page.getByLabel(words.profile.language).selectOption({ label: "Portuguese" });
  await page.getByLabel(words.profile.zone).selectOption("Europe/Lisbon");
  await page.getByLabel(words.profile.country).selectOption({ label: "Portugal" });
  await page.getByLabel(words.profile.born).fill("19");
  await page.getByRole("button", { name: words.profile.save }).click();
  await page.getByText(words.profile.bornWrong).waitFor();
  await page.getByLabel(words.profile.born).fill("1991");
  const counted = page.getByLabel(words.profile.counted);
  assert.equal(await counted.isChecked(), false, "nobody is counted who has not said so");
  await counted.check();
  await page.getByRole("button", { name: words.profile.save }).click();
  await page.getByText(words.profile.saved).waitFor();

  const other = await page.context().newPage(); // another tab changes it meanwhile
  await other.goto(page.url());
  await other.getByLabel(words.profile.city).fill("Lisboa");
  await other.getByRole("button", { name: words.profile.save }).click();
  await other.getByText(words.profile.saved).waitFor();
  await other.close();
  await page.getByLabel(words.profile.gender).fill("woman");
  await page.getByRole("button", { name: words.profile.save }).click();
  await page.getByText(words.profile.stale).waitFor();
  assert.equal(await page.getByLabel(words.profile.city).inputValue(), "Lisboa");

  await page.reload();
  await page.getByLabel(words.profile.name).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the profile moves while it is loaded");
  assert.equal(await page.getByLabel(words.profile.name).inputValue(), name);
  assert.equal(await page.getByLabel(words.profile.language).inputValue(), "pt");
  assert.equal(await page.getByLabel(words.profile.born).inputValue(), "1991");
  assert.equal(await counted.isChecked(), true);
  await look(page, "account-profile");
  await narrow(page);
}

/** A second factor: what was signed in without is signed out, and comes back with a recovery code. Returns the key of the authenticator, and a recovery code that is good still. */
async function secures({ page }: Fan, phone: Fan, email: string): Promise<{ key: string; code: string }> {
  const text = words.security.second;
  await page.goto(new URL("/account/security", page.url()).href);
  const card = box(page, text.heading);
  await card.getByLabel(words.password).fill("not that password");
  await card.getByRole("button", { name: text.begin }).click();
  await card.getByText("This is not your password.").waitFor();
  await card.getByLabel(words.password).fill(password);
  await card.getByRole("button", { name: text.begin }).click();
  const picture = card.getByRole("img", { name: text.qr });
  await picture.waitFor();
  assert.ok(await picture.evaluate((img) => (img as HTMLImageElement).decode().then(() => (img as HTMLImageElement).naturalWidth > 0)), "the browser draws the code");
  await look(page, "account-second-set-up", picture);
  await narrow(page);
  const key = await card.locator(".secret").innerText();
  assert.match(key, /^([A-Z2-7]{4} )+[A-Z2-7]{1,4}$/);
  await card.getByLabel(words.code).fill("12345");
  await card.getByRole("button", { name: text.submit }).click();
  await card.getByText("This code is not right").waitFor();
  await card.getByLabel(words.code).fill(codeOf(key));
  await card.getByLabel(words.code).press("Enter");
  await card.getByRole("heading", { name: text.codes }).waitFor();
  const codes = await card.locator(".codes li").allInnerTexts();
  assert.equal(codes.length, 10);
  await look(page, "account-second-codes", card);
  await narrow(page);
  await card.getByRole("button", { name: text.kept }).click();
  await card.getByText(text.left(10)).waitFor();
  assert.ok(await card.getByRole("heading", { name: text.heading }).evaluate((heading) => heading === document.activeElement), "the focus is not lost");

  await phone.page.reload();
  await signsIn(phone.page, email, password);
  await phone.page.getByRole("heading", { name: words.second.heading }).waitFor();
  await look(phone.page, "account-second");
  await phone.page.getByLabel(words.code).fill("000000");
  await phone.page.getByRole("button", { name: words.second.submit }).click();
  await phone.page.getByText("This code is not right").waitFor();
  await phone.page.getByLabel(words.code).fill(codes[0]!);
  await phone.page.getByLabel(words.code).press("Enter");
  await phone.page.getByRole("heading", { name: words.orders.heading }).waitFor();
  return { key, code: codes[1]! };
}

async function signsOutThere(page: Page, phone: Fan): Promise<void> {
  const text = words.security.places;
  await page.reload();
  const places = box(page, text.heading);
  await places.locator("li").nth(1).waitFor();
  assert.equal(await places.locator("li").count(), 2);
  assert.equal(await shiftsOfLoad(page), 0, "the list of sign-ins moves what is there");
  await look(page, "account-places", places);
  await narrow(page);
  await places.getByRole("button", { name: /^Sign out .* on / }).press("Enter");
  await places.getByText(text.ended).waitFor();
  await until(async () => (await places.locator("li").count()) === 1, "one place is left");
  await phone.page.reload();
  await phone.page.getByRole("heading", { name: words.signIn.heading }).waitFor();
}

/** Who is signed in is not asked for their address, and finds the order without its link. */
async function buys(fan: Fan, email: string): Promise<void> {
  const { page, stack } = fan;
  await fan.arrive();
  await fan.comeIn();
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  await page.getByText(shop.pay.account(email)).waitFor();
  assert.equal(await page.getByLabel(shop.pay.email).inputValue(), email);
  await look(page, "pay-account");
  await fits(page);
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.mine }).click();
  await page.getByRole("heading", { name: words.orders.unused }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the orders move while they are loaded");
  await look(page, "account-orders");
  await narrow(page);
  await page.evaluate(() => localStorage.clear()); // this browser does not know the order's key
  const order = page.locator('a[data-order="unused"]');
  assert.equal(await order.count(), 1);
  await order.focus();
  await page.keyboard.press("Enter");
  await hasTickets(fan, 2);
  const address = new URL(page.url());
  assert.ok(address.hash.length > 10, "the address is the one to keep");

  const other = await fan.another(1280);
  await other.page.goto(stack.url + address.pathname);
  await other.page.getByRole("heading", { name: orderWords.noKey.heading }).waitFor();
  await other.context.close();
}

/** Another password by a letter; the second factor stays. */
async function forgets(fan: Fan, email: string, key: string): Promise<void> {
  const { page, stack } = fan;
  await page.goto(`${stack.url}/account`);
  await fan.button(words.signOut).click();
  await page.getByRole("link", { name: words.signIn.forgot }).click();
  await page.getByLabel(words.email).fill(email);
  await page.getByRole("button", { name: words.forgot.submit }).click();
  await page.getByText(words.sent.forgot(email)).waitFor();
  const link = await linkTo(stack, email, "reset");
  await page.goto(link);
  await page.getByRole("heading", { name: words.reset.heading }).waitFor();
  await look(page, "account-reset");
  await page.getByLabel(words.password).fill(better);
  await page.getByRole("button", { name: words.reset.submit }).click();
  await page.getByText(words.reset.done).waitFor();
  await signsIn(page, email, better);
  await page.getByLabel(words.code).fill(codeOf(key, 1)); // that of this half minute was used
  await page.getByLabel(words.code).press("Enter");
  await page.getByRole("heading", { name: words.orders.unused }).waitFor();
}

/** Another address, by a letter to it: the old one is told, and signs in no more. */
async function moves({ page, stack }: Fan, email: string, to: string, code: string): Promise<void> {
  const text = words.security.email;
  await page.goto(`${stack.url}/account/security`);
  const card = box(page, text.heading);
  await card.getByText(text.now(email)).waitFor();
  await card.getByLabel(text.new).fill(to);
  await card.getByLabel(words.password).fill("not that password");
  await card.getByRole("button", { name: text.submit }).click();
  await card.getByText("This is not your password.").waitFor();
  await card.getByLabel(words.password).fill(better);
  await card.getByRole("button", { name: text.submit }).press("Enter");
  await card.getByText(text.sent(to)).waitFor();
  await look(page, "account-moving", card);
  const link = await linkTo(stack, to, "email");
  await page.goto("about:blank");
  await page.goto(link); // which asks first
  await page.getByRole("heading", { name: words.move.heading }).waitFor();
  await look(page, "account-move");
  await narrow(page);
  await page.getByRole("button", { name: words.move.submit }).press("Enter");
  await page.getByRole("heading", { name: words.move.done }).waitFor();
  await look(page, "account-moved");
  await until(async () => (await lettersTo(stack, email))[0]?.subject.includes("another e-mail address") === true, "the old address is told");
  await page.goto("about:blank");
  await page.goto(link); // it is good once
  await page.getByRole("button", { name: words.move.submit }).click();
  await page.getByText(words.linkOver).waitFor();

  await page.goto(`${stack.url}/account/security`);
  await box(page, text.heading).getByText(text.now(to)).waitFor();
  await page.getByRole("button", { name: words.signOut }).click();
  await signsIn(page, email, better);
  await page.getByText("The e-mail address or the password is wrong.").waitFor();
  await signsIn(page, to, better);
  await page.getByLabel(words.code).fill(code);
  await page.getByLabel(words.code).press("Enter");
  await page.getByRole("heading", { name: text.heading }).waitFor();
}

async function leavesForGood(fan: Fan, email: string): Promise<void> {
  const { page, stack } = fan;
  const text = words.data;
  await page.goto(`${stack.url}/account/data`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: text.download }).click()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  const kept = JSON.parse(Buffer.concat(chunks).toString()) as { account: { email: string }; orders: unknown[] };
  assert.deepEqual([download.suggestedFilename(), kept.account.email, kept.orders.length], ["account.json", email, 1]);

  await page.getByLabel(words.password).fill(password);
  await fan.button(text.act).click();
  const dialog = page.getByRole("dialog", { name: text.ask });
  await look(page, "account-erase");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await fan.button(text.act).click();
  await dialog.getByRole("button", { name: text.yes }).click();
  await page.getByText("This is not your password.").waitFor();
  await narrow(page);
  await page.getByLabel(words.password).fill(better);
  await fan.button(text.act).click();
  await dialog.getByRole("button", { name: text.yes }).click();
  await page.getByRole("heading", { name: text.done.heading }).waitFor();
  await settled(page);
  await page.goto(`${stack.url}/account`);
  await signsIn(page, email, better);
  await page.getByText("The e-mail address or the password is wrong.").waitFor();
}
