import assert from "node:assert/strict";
import { handover as words, waiting } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { lettersTo } from "./letters";
import { look } from "./look";
import { Staff } from "./staff";

/** Who waits leaves an address; a letter comes when their turn is near, and its link opens the place on another device, once. */
export async function turn(desk: Fan): Promise<void> {
  const staff = new Staff(desk.stack);
  const { cap, rate } = await staff.live();
  const email = `turn-${Date.now()}@example.com`;
  const letter = async () => (await lettersTo(desk.stack, email))[0];
  await staff.cap(0);
  const [first, phone, other] = [await desk.another(390), await desk.another(390), await desk.another(390)];
  try {
    await first.outlastTheDraw();
    await first.arrive();
    await first.sees("waiting");
    await desk.arrive();
    await desk.sees("waiting");
    await desk.button(waiting.move).click();
    await desk.page.locator(".code img").waitFor();
    await look(desk.page, "turn-asked", desk.page.getByLabel(words.letter.ask));
    await desk.page.getByLabel(words.letter.ask).fill(email);
    await desk.button(words.letter.send).click();
    await desk.page.getByText(words.letter.comes(email, 10)).waitFor();
    await look(desk.page, "turn-kept", desk.page.getByText(words.letter.comes(email, 10)));
    await desk.button(words.close).click();
    await look(desk.page, "turn-room");

    const plain = await desk.context.newPage();
    await plain.goto(`${desk.stack.url}/api/v1/sales/${desk.stack.sale}/plain?ask=letter`);
    await look(plain, "turn-plain");
    await plain.close();

    assert.equal(await letter(), undefined, "nobody knows yet when their turn is");
    await staff.rate(1);
    await staff.cap(cap);
    await first.sees("offered"); // one a minute: the desk is next
    await until(async () => (await letter()) !== undefined, "the letter comes");
    const link = /http\S+#handover=\S+/.exec((await letter())!.text)?.[0];
    assert.ok(link, "the letter has a link");
    await phone.page.goto(link);
    await phone.sees("waiting");
    await desk.sees("elsewhere");
    await other.page.goto(link);
    await other.page.getByText(words.failed.heading).waitFor(); // it works once
  } finally {
    await staff.rate(rate);
    await staff.cap(cap);
  }
  await phone.comeIn();
  assert.equal((await lettersTo(desk.stack, email)).length, 1, "there is one letter");
  for (const fan of [first, phone, other]) await fan.context.close();
}
