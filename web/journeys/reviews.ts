import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Found, ListedEvent } from "../src/api/documents";
import { account, home, order as orderWords, reviews as words, shop } from "../src/messages/en";
import { Fan, until } from "./fan";
import { linkTo, lettersTo } from "./letters";
import { fits, look } from "./look";
import { startStack } from "./stack";

const password = "seven lanterns over water";
const text = words.desk;

/** Somebody buys, is let in, and writes a review; a stranger cannot, and asks. Staff look at both, answer, and everybody reads it. */
export async function reviews(fan: Fan): Promise<void> {
  const stack = await startStack({ title: "The Lanterns, a winter tour", safety_net: true, seats: 60, general: 20, token_life: 300 });
  try {
    const ada = new Fan(stack, fan.context, fan.page, fan.troubles);
    const eve = await ada.another(390);
    const event = await sold(ada);
    const page = `${stack.url}/events/${event.id}`;
    await ada.page.goto(page);
    await ada.page.getByText(words.none).waitFor();
    await ada.page.getByRole("link", { name: words.signIn }).waitFor();
    await look(ada.page, "reviews-nobody", ada.page.locator("#reviews"));
    await registers(ada, "ada@example.com");
    await ada.page.goto(page);
    await ada.page.getByText(words.notThere).waitFor(); // she has bought nothing yet
    await isLetIn(ada, event);
    await ada.page.goto(page);
    await writes(ada.page);

    await registers(eve, "eve@example.com");
    await eve.page.goto(page);
    await asks(eve.page);
    const desk = await ada.context.newPage();
    await decides(desk, stack.url, stack.staffKey);

    await eve.page.reload();
    await reads(eve.page);
    await desk.getByRole("button", { name: text.of(text.show, "comment", "Eve") }).waitFor({ state: "detached" });
    await desk.reload();
    await desk.getByRole("button", { name: text.of(text.show, "comment", "Eve") }).press("Enter");
    await desk.getByText(text.done.shown).waitFor();
    await until(async () => (await lettersTo(stack, "ada@example.com")).some((each) => each.subject.endsWith("is shown now")), "the letter that it is shown");
    await ada.page.goto(`${stack.url}/account/messages`);
    await ada.page.locator("summary", { hasText: "is shown now" }).waitFor();
    await ada.page.goto(page);
    await takesBack(ada.page);
  } finally {
    await stack.stop();
  }
}

/** The event that the stack's sale is of, once it is found. */
async function sold({ stack }: Fan): Promise<ListedEvent> {
  let found: ListedEvent | undefined;
  await until(async () => {
    const { entries } = (await (await fetch(`${stack.url}/api/v1/search?q=lanterns+winter&kind=event`)).json()) as Found;
    for (const each of entries) {
      const event = (await (await fetch(`${stack.url}/api/v1/events/${each.id}`)).json()) as ListedEvent;
      if (event.performances.some((show) => show.sale === stack.sale)) found = event;
    }
    return found !== undefined;
  }, "the event of the sale");
  return found!;
}

async function registers({ page, stack }: Fan, email: string): Promise<void> {
  await page.goto(`${stack.url}/account/sign-up`);
  await page.getByLabel(account.email).fill(email);
  await page.getByLabel(account.password).fill(password);
  await page.getByRole("button", { name: account.signUp.submit }).click();
  await page.getByRole("heading", { name: account.sent.heading }).waitFor();
  await page.goto("about:blank");
  await page.goto(await linkTo(stack, email, "confirm"));
  await page.getByLabel(account.password).fill(password);
  await page.getByRole("button", { name: account.confirm.submit }).click();
  await page.getByText(account.orders.none).waitFor();
}

/** With a ticket of her own, by its code on her phone. */
async function isLetIn(ada: Fan, event: ListedEvent): Promise<void> {
  const { page, stack } = ada;
  await page.goto(`${stack.url}/events/${event.id}`);
  await page.getByRole("link", { name: new RegExp(`^${home.event.ticketsFor("").trim()}`) }).first().click();
  await page.waitForURL("**/shop");
  await ada.button(shop.tiers.bestFor("Circle")).click();
  await ada.button(shop.basket.checkout).click();
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("link", { name: shop.paid.see }).click();
  await page.getByRole("link", { name: orderWords.phone }).click();
  const code = await page.locator("svg[data-code^=RT1]").first().getAttribute("data-code");
  const show = event.performances.find((each) => each.sale === stack.sale)!;
  const answer = await fetch(`${stack.url}/api/v1/organizer/performances/${show.id}/door/scans`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${stack.staffKey}` },
    body: JSON.stringify({ id: crypto.randomUUID(), code, door: "Main entrance", device: "journey" }),
  });
  assert.equal(((await answer.json()) as { passed: boolean }).passed, true, "she is let in");
}

async function writes(page: Page): Promise<void> {
  const form = page.getByRole("region", { name: words.heading, exact: true });
  await page.getByText(words.write, { exact: true }).click();
  await page.getByLabel(words.textOf.review).fill("It snowed <b>paper</b>.\n\nI would go again.");
  await form.getByLabel(words.name).fill("ada@example.com");
  await page.getByRole("button", { name: words.send.review }).click();
  await page.getByText(words.noStars).waitFor();
  await page.getByRole("radio", { name: words.stars(4) }).focus();
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: words.send.review }).press("Enter");
  await page.getByText("is no address", { exact: false }).waitFor(); // what she typed is there to be mended
  await form.getByLabel(words.name).fill("Ada");
  await look(page, "reviews-write", page.getByRole("button", { name: words.send.review }));
  await fits(page);
  await page.getByRole("button", { name: words.send.review }).press("Enter");
  await page.getByText(words.waits).waitFor();
  await page.getByText(words.state.waiting).waitFor();
  await page.getByText(words.change, { exact: true }).waitFor(); // there is one already
  await look(page, "reviews-waits", page.locator("#yours"));
}

/** Who was not there asks. */
async function asks(page: Page): Promise<void> {
  const form = page.getByRole("region", { name: words.questions, exact: true });
  await page.getByText(words.none).waitFor();
  await page.getByText(words.notThere).waitFor();
  assert.equal(await page.getByText(words.write, { exact: true }).count(), 0, "a stranger may write a review");
  await page.getByText(words.ask, { exact: true }).click();
  await page.getByLabel(words.textOf.question).fill("Is there an interval?");
  await form.getByLabel(words.name).fill("Eve");
  await page.getByRole("button", { name: words.send.question }).press("Enter");
  await page.getByText(words.waits).waitFor();
}

async function decides(desk: Page, url: string, key: string): Promise<void> {
  await desk.goto(`${url}/desk/letters#key=${key}`);
  await desk.getByText("It snowed <b>paper</b>.").waitFor();
  await look(desk, "reviews-desk", desk.locator("#posts"));
  await fits(desk);
  const hide = desk.getByRole("button", { name: text.of(text.hide, "review", "Ada") });
  await hide.press("Enter");
  await desk.getByLabel(text.reason).fill("Nothing is wrong with it");
  await look(desk, "reviews-desk-hide", desk.getByLabel(text.reason));
  await desk.getByRole("button", { name: text.no }).press("Enter");
  await desk.getByRole("button", { name: text.of(text.show, "review", "Ada") }).press("Enter");
  await desk.getByText(text.done.shown).waitFor();
  await desk.getByRole("button", { name: text.of(text.answer, "question", "Eve") }).press("Enter");
  await desk.getByLabel(text.answerText).fill("Yes, of twenty minutes.");
  await look(desk, "reviews-desk-answer", desk.getByLabel(text.answerText));
  await desk.getByRole("button", { name: text.answerGo }).press("Enter");
  await desk.getByText(text.done.answered).waitFor();
  await desk.getByLabel(text.which).selectOption("shown");
  await desk.getByText("Yes, of twenty minutes.").waitFor();
}

/** As everybody does; and comments. */
async function reads(page: Page): Promise<void> {
  const review = page.getByRole("article", { name: words.by("Ada") });
  await review.getByText("It snowed <b>paper</b>.").waitFor();
  await review.getByText(words.stars(4)).waitFor();
  await page.getByText(words.rating(4, 1)).waitFor();
  await page.getByRole("article", { name: words.asked("Eve") }).getByText("Yes, of twenty minutes.").waitFor();
  await page.getByLabel(words.order).selectOption("best");
  await review.waitFor();
  await look(page, "reviews-shown", page.locator("#reviews"));
  await look(page, "reviews-answered", page.locator("#questions"));
  await fits(page);
  await review.getByText(words.comments(0), { exact: true }).click();
  await review.getByLabel(words.textOf.comment).fill("Me too.");
  await review.getByLabel(words.name).fill("Eve");
  await review.getByRole("button", { name: words.send.comment }).press("Enter");
  await page.getByText(words.waits).waitFor();
  await review.getByRole("button", { name: words.reportOf("Ada") }).press("Enter");
  await review.getByText(words.reported).waitFor();
}

/** Of hers nothing is left but its place, since somebody has commented. */
async function takesBack(page: Page): Promise<void> {
  await page.getByRole("button", { name: words.takeBackOf("review") }).press("Enter");
  await page.getByText(words.took).waitFor();
  const gap = page.getByRole("article", { name: words.gone });
  await gap.getByText(words.comments(1)).click();
  await gap.getByText("Me too.").waitFor();
  await gap.getByRole("button", { name: words.reportOf("Eve") }).press("Enter");
  await gap.getByText(words.reported).waitFor();
  assert.equal(await page.getByText("It snowed").count(), 0);
  await page.getByText(words.write, { exact: true }).waitFor(); // she may write another
  await look(page, "reviews-gone", page.locator("#reviews"));
}
