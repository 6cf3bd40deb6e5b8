import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { letters as words } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { fits, look, shiftsOfLoad } from "./look";
import { ask } from "./working";

const text = words.edit;

/** An organizer words a letter in two tabs, sees what comes of it, and goes back to what it was; a letter that nobody takes is seen, and sent again. */
export async function deskLetters(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  await page.goto(`${stack.url}/desk/letters`);
  await page.getByLabel(words.signIn.key).fill("not a key");
  await page.getByRole("button", { name: words.signIn.submit }).click();
  await page.getByText(words.signIn.wrong).waitFor();
  await page.goto("about:blank");
  await page.goto(`${stack.url}/desk/letters#key=${stack.staffKey}`);
  await page.getByText(text.ours).waitFor();
  assert.equal(new URL(page.url()).hash, "", "the key is not in the address");
  await until(async () => (await page.frameLocator(".arrives iframe").getByText("Nozze di Figaro").count()) > 0, "the letter as it arrives");
  await look(page, "letters-desk");
  await fits(page);
  await types(page);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByText(text.ours).waitFor();
  await page.getByRole("button", { name: text.save, exact: true }).press("Enter");
  await page.getByText(text.saved).waitFor();
  await page.getByText(text.own(1)).waitFor();
  await meets(other);
  await page.reload();
  await page.getByText(text.own(2)).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the page moves while it is loaded");
  await goesBack(page);
  await seesTheDead(fan);
}

/** A script, a placeholder by the keyboard, and one that there is not. */
async function types(page: Page): Promise<void> {
  const [subject, body] = [page.getByLabel(text.subject, { exact: true }), page.getByLabel(text.text, { exact: true })];
  await subject.fill("<script>document.title='mine'</script> ");
  await page.getByRole("button", { name: "{event}", exact: true }).press("Enter");
  assert.equal(await subject.inputValue(), "<script>document.title='mine'</script> {event}");
  await body.fill("<img src=x onerror=alert(1)> for {buyer}\n\n{link}");
  await page.getByText("There is no placeholder {buyer}").waitFor();
  await page.getByText(words.preview.none).waitFor();
  assert.equal(await body.getAttribute("aria-invalid"), "true");
  await page.getByRole("button", { name: text.save, exact: true }).press("Enter");
  await until(() => body.evaluate((field) => field === document.activeElement), "the field that is wrong");
  await look(page, "letters-fault");
  await body.fill("<img src=x onerror=alert(1)> for {event}\n\n{link}");
  const frame = page.frameLocator(".arrives iframe");
  await frame.getByText("<img src=x onerror=alert(1)> for Nozze di Figaro").waitFor();
  await frame.getByRole("heading", { name: "<script>document.title='mine'</script> Nozze di Figaro" }).waitFor();
  assert.equal(await page.locator(".arrives iframe").getAttribute("sandbox"), "", "the frame may do nothing");
  assert.notEqual(await frame.locator(".letter").evaluate((box) => getComputedStyle(box).backgroundColor), "rgba(0, 0, 0, 0)", "it has its style");
  await look(page, "letters-typed", page.locator(".both"));
  await fits(page);
  await page.getByRole("button", { name: words.preview.text }).press("Enter");
  await page.locator(".as-text").getByText("onerror=alert(1)").waitFor();
  await look(page, "letters-as-text", page.locator(".arrives"));
  await page.getByRole("button", { name: words.preview.html }).press("Enter");
}

/** What another tab has saved is shown beside what was typed, which is not lost. */
async function meets(page: Page): Promise<void> {
  const body = page.getByLabel(text.text, { exact: true });
  await body.fill("Come, {event}\n\n{link}");
  await page.getByText(text.unsaved).waitFor();
  await page.getByRole("button", { name: text.save, exact: true }).click();
  await page.getByText(text.theirs).waitFor();
  assert.equal(await body.inputValue(), "Come, {event}\n\n{link}");
  await look(page, "letters-conflict", page.locator(".theirs"));
  await fits(page);
  await page.getByRole("button", { name: text.save, exact: true }).click();
  await page.getByText(text.noReason).waitFor();
  await page.getByLabel(text.reason).fill("shorter");
  await page.getByLabel(text.reason).press("Enter");
  await page.getByText(text.saved).waitFor();
  await page.close();
}

async function goesBack(page: Page): Promise<void> {
  const body = page.getByLabel(text.text, { exact: true });
  assert.equal(await body.inputValue(), "Come, {event}\n\n{link}");
  await page.getByLabel(text.language).selectOption("de");
  await page.getByText(text.ours).waitFor();
  await page.getByLabel(text.language).selectOption("en");
  await page.getByLabel(text.reason).fill("as everybody");
  await page.getByRole("button", { name: text.reset }).press("Enter");
  await page.getByRole("dialog", { name: text.askReset }).waitFor();
  await look(page, "letters-reset");
  await page.getByRole("dialog").getByRole("button", { name: text.reset }).press("Enter");
  await page.getByText(text.wasReset).waitFor();
  await page.getByText(text.ours).waitFor();
}

async function seesTheDead(fan: Fan): Promise<void> {
  const { page } = fan;
  const email = `nobody.${Date.now()}@example.com`; // the stack's mail server refuses them
  await ask(fan, "POST", "/api/v1/accounts", { email, password: "nine lanterns on a stair" });
  const again = page.getByRole("button", { name: words.dead.retryOf(email) });
  await until(async () => {
    await page.reload();
    await page.getByRole("heading", { name: words.dead.heading }).waitFor();
    return (await again.count()) > 0;
  }, "a letter that was given up");
  await page.getByText("refused it for good, with 550").first().waitFor();
  await look(page, "letters-dead", page.locator("#dead"));
  await fits(page);
  await again.press("Enter");
  await page.getByText(words.dead.again(email)).waitFor();
  assert.equal(await again.count(), 0);
}
