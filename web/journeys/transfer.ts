import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { order as orderWords, shop, ticket as ticketWords, transfer as words } from "../src/messages/en";
import { hasTickets } from "./buy";
import { type Fan, until } from "./fan";
import { lettersTo } from "./letters";
import { fits, look } from "./look";

/** One of two tickets goes to somebody else: a name, an offer that is called back, one that is accepted, and whose code it is then. */
export async function transfer(fan: Fan): Promise<void> {
  const { page } = fan;
  const [giver, friend] = [`ada.${Date.now()}@example.com`, `bert.${Date.now()}@example.com`];
  await fan.arrive();
  await fan.comeIn();
  await fan.button(shop.tiers.bestFor("Circle")).click();
  await fan.button(shop.basket.checkout).click();
  await page.getByLabel(shop.pay.email).fill(giver);
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.see }).click();
  await hasTickets(fan, 2);
  await tellsOfThePlace(fan);
  const first = page.locator(".hands li").first();
  const place = await first.locator("b").innerText();

  await first.getByRole("button", { name: words.of(words.name, place) }).click();
  await first.getByLabel(words.named).fill("<b>Ada</b> Lovelace");
  await first.getByRole("button", { name: words.keep }).click();
  await first.getByText(words.place(place, "<b>Ada</b> Lovelace"), { exact: true }).waitFor();

  const offer = async (to: string) => {
    await first.getByRole("button", { name: words.of(words.give, place) }).press("Enter");
    await page.keyboard.type(to); // the field has the focus
    await page.keyboard.press("Enter");
    await first.getByRole("button", { name: words.recall }).waitFor();
  };
  await offer(`wrong.${friend}`);
  const dead = await linkTo(fan, `wrong.${friend}`);
  await first.getByRole("button", { name: words.recall }).click();
  await first.getByRole("button", { name: words.of(words.give, place) }).waitFor();
  await offer(friend);
  await fits(page);
  await look(page, "order-transfer", page.locator(".hands"));
  const link = await linkTo(fan, friend);
  assert.equal(await page.locator('article[data-ticket="valid"]').count(), 2, "an offer changes no ticket");

  const there = await fan.another(390);
  await there.page.goto(dead);
  await there.page.getByRole("heading", { name: words.mine.recalled.heading }).waitFor();
  await look(there.page, "ticket-recalled");
  await there.page.goto(link);
  await there.page.getByText(words.mine.from(giver)).waitFor();
  assert.equal(await there.page.locator("svg[data-code]").count(), 0, "what is not accepted has no code");
  await fits(there.page);
  await look(there.page, "ticket-offer");
  await there.page.getByLabel(words.named).fill("Bert");
  await there.page.getByRole("button", { name: words.mine.accept }).click();
  await there.page.locator("svg[data-code^=RT1]").waitFor();
  await there.page.getByText("Bert", { exact: true }).waitFor();
  await fits(there.page);
  await look(there.page, "ticket-given");

  // Whoever gave it has no code of it any more, on neither page, and is told.
  await page.locator('article[data-ticket="given"]').waitFor({ timeout: 30_000 });
  await hasTickets(fan, 1);
  await first.getByText(words.accepted(friend)).waitFor();
  await look(page, "order-given", page.locator(".tickets"));
  await until(async () => (await lettersTo(fan.stack, giver)).some((each) => each.text.includes(friend)), "a letter to who gave it");
  await page.getByRole("link", { name: orderWords.phone }).click();
  await page.getByText(ticketWords.state.given).waitFor();
  await page.getByText(/^You may give a ticket to somebody else, .* until /).waitFor();
  await look(page, "ticket-rules", page.locator(".notes"));
  await page.keyboard.press("ArrowRight");
  await page.locator("svg[data-code^=RT1]").waitFor();

  await returned(there.page);
  await there.context.close();
}

/** From the order the fan reads what happened to the place in the line that led there. */
async function tellsOfThePlace({ page }: Fan): Promise<void> {
  await page.getByRole("link", { name: orderWords.line }).click();
  await page.locator('.outcome[data-state="active"], .outcome[data-state="done"]').waitFor();
  await page.locator('[data-of="sale"][data-what="opened"]').waitFor();
  await page.getByText(/^Place /).waitFor();
  await fits(page);
  await look(page, "receipt");
  await page.goBack();
  await page.locator(".hands").waitFor();
}

/** The one who has it gives it back to the organizer. */
async function returned(page: Page): Promise<void> {
  await page.getByRole("button", { name: words.mine.back }).click();
  await page.getByRole("button", { name: words.mine.no }).click();
  await page.locator("svg[data-code^=RT1]").waitFor();
  await page.getByRole("button", { name: words.mine.back }).click();
  await page.getByRole("button", { name: words.mine.yes, exact: true }).click();
  await page.getByText(ticketWords.state.canceled).waitFor();
  assert.equal(await page.locator("svg[data-code]").count(), 0);
}

async function linkTo(fan: Fan, to: string): Promise<string> {
  let link: string | undefined;
  await until(async () => {
    link = (await lettersTo(fan.stack, to)).map((each) => /http\S*\/tickets\/\S+/.exec(each.text)?.[0]).find((each) => each !== undefined);
    return link !== undefined;
  }, `a letter to ${to} with a ticket`);
  return link!;
}
