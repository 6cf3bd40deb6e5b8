import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import type { Counts } from "../src/api/door";
import { door as words, order as orderWords, shop as shopWords } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { lettersTo } from "./letters";
import { fits, look } from "./look";

const email = "door-fan@example.org";
const [width, height] = [640, 480];

/** From the order through the letter and the phone to the door: let in once by what the camera sees, refused, and without a network, merged, with the double entry told. */
export async function door(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  await fan.arrive();
  await fan.comeIn();
  await fan.pickOnMap(3);
  await fan.button(shopWords.basket.hold(3)).click();
  await fan.button(shopWords.basket.checkout).click();
  await page.getByLabel(shopWords.pay.email).fill(email);
  await page.getByRole("button", { name: /^Pay / }).click();
  await page.getByRole("heading", { name: shopWords.paid.heading }).waitFor();

  let link: string | undefined;
  await until(async () => {
    link = (await lettersTo(stack, email)).map((each) => /http\S*\/orders\/[\w-]+#[\w-]+/.exec(each.text)?.[0]).find((each) => each !== undefined);
    return link !== undefined;
  }, "the letter with the tickets");
  await page.goto(link!);
  await page.getByRole("link", { name: orderWords.phone }).click();
  const code = page.locator("svg[data-code^=RT1]");
  await code.waitFor();

  const folder = mkdtempSync(join(tmpdir(), "ropeline-door-"));
  const film = join(folder, "camera.y4m");
  await filmed(page, film);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${film}`],
  });
  try {
    const context = await browser.newContext({ locale: "en-GB", viewport: { width: 390, height: 844 }, permissions: ["camera"] });
    context.setDefaultTimeout(20_000);
    await atTheDoor(fan, await context.newPage(), film);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function atTheDoor(fan: Fan, scanner: Page, film: string): Promise<void> {
  const { page, stack } = fan;
  const result = (passed: boolean) => scanner.locator(`.result.${passed ? "yes" : "no"}`);
  await scanner.goto(`${stack.url}/door#key=${stack.staffKey}`);
  await scanner.getByText(words.ready).waitFor();
  assert.equal(new URL(scanner.url()).hash, "", "the key is not in the address any more");
  await scanner.getByText(/^List of /).waitFor();
  await scanner.getByText(words.pageKept).waitFor();
  await fits(scanner);
  await look(scanner, "door");

  // By the camera: yes, and on the phone it says so.
  await see(page, scanner, film);
  await result(true).waitFor();
  await look(scanner, "door-yes");
  await scanner.getByRole("button", { name: words.stop }).click();
  await page.getByText(/^Used /).waitFor({ timeout: 30_000 });
  await look(page, "ticket-used");

  // The same ticket again, with another code: no, and when and where it was.
  await see(page, scanner, film);
  await result(false).getByText(words.reason.used).waitFor();
  await result(false).getByText(/^Used \d\d:\d\d, Main entrance/).waitFor();
  await look(scanner, "door-no");
  await scanner.getByRole("button", { name: words.stop }).click();

  // What no camera reads: a reader that types, and staff who look it up.
  await scanner.getByRole("heading", { name: words.heading, exact: true }).click();
  await scanner.keyboard.type("https://example.org/nothing-of-ours");
  await scanner.keyboard.press("Enter");
  await result(false).getByText(words.reason.foreign).waitFor();

  // Without a network the list decides, and the page comes back by itself.
  await page.keyboard.press("ArrowRight");
  await page.getByText(/^Ticket 2 of 3/).waitFor();
  await scanner.context().setOffline(true);
  await see(page, scanner, film);
  await result(true).getByText(words.offline).waitFor();
  await scanner.reload();
  await scanner.locator("[data-waiting='1']").waitFor();
  await scanner.getByText(words.away).waitFor();
  await see(page, scanner, film);
  await result(false).getByText(words.reason.used).waitFor();
  await look(scanner, "door-offline");
  await scanner.getByRole("button", { name: words.stop }).click();

  // Meanwhile it was let in at another door; when the two are merged that is told.
  const performance = await scanner.locator(".set-up select").first().inputValue();
  const other = await fetch(`${stack.url}/api/v1/organizer/performances/${performance}/door/scans`, {
    method: "POST",
    headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json" },
    body: JSON.stringify({ id: crypto.randomUUID(), code: await page.locator("svg[data-code^=RT1]").getAttribute("data-code"), door: "Main entrance", device: "the other" }),
  });
  assert.equal(((await other.json()) as { passed: boolean }).passed, true, "the other door does not know of it");
  await scanner.context().setOffline(false);
  await scanner.locator("[data-waiting='0']").waitFor();
  await scanner.locator(".doubles li").getByText(words.reason.used).waitFor();
  assert.equal(await scanner.locator(".doubles li").count(), 1);
  await look(scanner, "door-double", scanner.locator(".doubles"));

  // What is looked up is let in by hand, taken back, and let in.
  const [answer] = await Promise.all([
    scanner.waitForResponse("**/door/tickets?*"),
    (async () => {
      await scanner.getByLabel(words.query).fill(email);
      await scanner.getByRole("button", { name: words.find, exact: true }).click();
    })(),
  ]);
  assert.equal(answer.status(), 200);
  await scanner.locator(".found li").nth(2).waitFor();
  assert.equal(await scanner.locator(".found li").count(), 3);
  await look(scanner, "door-found", scanner.locator(".found"));
  await takesBack(fan, scanner, performance);
  await setsRules(scanner);
}

/** A supervisor takes back whom they have just let in: the house has one less, and the ticket opens the door again. */
async function takesBack({ stack }: Fan, scanner: Page, performance: string): Promise<void> {
  // Others have bought tickets of this evening, too.
  const answer = await fetch(`${stack.url}/api/v1/organizer/performances/${performance}/door/counts`, { headers: { Authorization: `Bearer ${stack.staffKey}` } });
  const { entered, valid } = (await answer.json()) as Counts;
  const came = (n: number) => scanner.locator(".counts").getByText(words.entered(n, valid)).waitFor();
  const third = scanner.locator(".found li").filter({ hasNotText: /Used/ });
  assert.equal(await third.count(), 1, "of three tickets one has not come in");
  const letIn = third.getByRole("button");
  const seat = (await third.locator("strong").textContent())!;
  await letIn.click();
  await scanner.locator(".result.yes", { hasText: seat }).waitFor();
  await came(entered + 1);
  const scans = scanner.getByRole("region", { name: words.last });
  await scans.getByRole("button", { name: words.undoFor(seat) }).click();
  await scans.getByLabel(words.undoReason).fill("the wrong person");
  await fits(scanner);
  await look(scanner, "door-undo", scans);
  await scans.locator("form").getByRole("button", { name: words.undo, exact: true }).click();
  await scanner.getByText(words.undone, { exact: true }).waitFor();
  await scanner.locator(".result.no").getByText(words.reason.undone).waitFor();
  await came(entered);
  await look(scanner, "door-undone");
  await letIn.click();
  await scanner.locator(".result.yes", { hasText: seat }).waitFor();
  await came(entered + 1);
  await look(scanner, "door-again");
}

/** Organizers set the rules where they see who comes. */
async function setsRules(scanner: Page): Promise<void> {
  await scanner.getByText(words.rules, { exact: true }).click();
  await scanner.getByLabel(words.reentry).check();
  await scanner.getByRole("button", { name: words.addDoor }).click();
  await scanner.getByRole("group", { name: words.doorNumber(2) }).getByLabel(words.doorName).fill("Lounge");
  await scanner.getByRole("group", { name: words.doorNumber(2) }).getByLabel(words.doorZone).fill("Lounge");
  await look(scanner, "door-rules", scanner.locator(".rules"));
  await scanner.getByRole("button", { name: words.keepRules }).click();
  await scanner.getByText(words.rulesKept).waitFor();
}

/** Shows the camera what is on the phone now. */
async function see(phone: Page, scanner: Page, film: string): Promise<void> {
  const stop = scanner.getByRole("button", { name: words.stop });
  if (await stop.isVisible()) await stop.click();
  await filmed(phone, film);
  await scanner.getByRole("button", { name: words.start }).click();
}

/** The code on a page as a film of it: gray frames as a camera sends them. */
async function filmed(phone: Page, film: string): Promise<void> {
  await phone.locator("svg[data-code^=RT1]").waitFor();
  const gray = await phone.evaluate(
    async ({ width, height }) => {
      const svg = document.querySelector("svg[data-code^=RT1]")!.cloneNode(true) as SVGElement;
      const side = height - 80;
      svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
      svg.setAttribute("width", `${side}`);
      svg.setAttribute("height", `${side}`);
      const image = new Image();
      image.src = `data:image/svg+xml;base64,${btoa(new XMLSerializer().serializeToString(svg))}`;
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      const paint = canvas.getContext("2d")!;
      paint.fillStyle = "#fff";
      paint.fillRect(0, 0, width, height);
      paint.drawImage(image, (width - side) / 2, (height - side) / 2, side, side);
      const { data } = paint.getImageData(0, 0, width, height);
      let text = "";
      for (let at = 0; at < data.length; at += 4) text += String.fromCharCode(data[at]!);
      return btoa(text);
    },
    { width, height },
  );
  const luma = Buffer.from(gray, "base64");
  const chroma = Buffer.alloc((width * height) / 2, 128);
  const frame = Buffer.concat([Buffer.from("FRAME\n"), luma, chroma]);
  writeFileSync(`${film}.new`, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420\n`), frame, frame, frame]));
  renameSync(`${film}.new`, film);
}
