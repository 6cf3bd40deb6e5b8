import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { desk as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { hold, look, movedInLoad, settled, watch } from "./look";
import { Staff } from "./staff";

const title = "Ópera <b>& Teatro</b>";
const accent = "rgb(10, 92, 138)";

/** An organizer gives the room their look, sees it as fans will and is told what is not ready; a button on their own site leads there. */
export async function dressed(fan: Fan): Promise<void> {
  const { page: desk, stack } = fan;
  await desk.goto(`${stack.url}/desk`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await desk.goto("about:blank");
  await desk.goto(`${stack.url}/desk?sale=${stack.sale}#key=${stack.staffKey}`);
  const form = desk.locator("form.part").first();
  await form.getByLabel(words.name, { exact: true }).fill(title);
  const room = desk.frameLocator("iframe");
  await room.getByText(title).waitFor();

  // What cannot be read is said with its ratio, and the preview stays.
  await form.getByLabel(words.accentIn(words.light)).fill("#ffcc00");
  await form.getByRole("alert").getByText("4.5:1").waitFor();
  await form.getByLabel(words.accentIn(words.light)).fill("#0a5c8a");
  await form.getByLabel(words.message).fill("Doors open at seven.");
  await form.getByLabel(words.helpText).fill("Questions?");
  await form.getByLabel(words.helpAddress).fill("https://example.org/help");
  await room.getByText("Questions?").waitFor();
  for (const state of ["lobby", "drawing", "waiting", "offered", "expired", "ended"] as const) {
    await desk.getByLabel(words.state).selectOption(state);
    await room.locator(`html[data-shown=${state}]`).waitFor();
    await room.locator("section.stand h1").waitFor();
  }
  await desk.getByLabel(words.state).selectOption("offered");
  await room.locator("button.primary").waitFor();
  assert.equal(await room.locator("button.primary").evaluate((button) => getComputedStyle(button).backgroundColor), accent);
  await desk.getByLabel(words.scheme).selectOption("dark");
  await settled(desk);
  assert.notEqual(await room.locator("button.primary").evaluate((button) => getComputedStyle(button).backgroundColor), accent, "dark has an accent of its own");
  await desk.getByLabel(words.scheme).selectOption("light");
  await desk.getByRole("button", { name: words.save }).click();
  await desk.getByText(/Kept as version/).waitFor();
  await desk.getByLabel(words.logo, { exact: true }).setInputFiles({ name: "logo.png", mimeType: "image/png", buffer: await desk.screenshot({ clip: { x: 0, y: 0, width: 480, height: 160 } }) });
  await desk.getByText(words.logoShown(480, 160)).waitFor();
  await look(desk, "desk-look");
  await look(desk, "desk-ready", desk.locator(".ready"));
  await ready(fan);
  await shown(fan);
  await button(fan);
}

async function ready({ page: desk }: Fan): Promise<void> {
  await desk.getByLabel(words.crowd).fill("100000000");
  await desk.getByRole("button", { name: words.check }).click();
  await desk.locator('[data-item="crowd"][data-state="stop"]').waitFor();
  await desk.locator('[data-item="clock"][data-state="ok"]').waitFor();
  await desk.locator('[data-item="payment"][data-state="warn"]').waitFor();
  assert.equal(await desk.locator(".ready li").count(), 11);
}

/** A fan sees what the desk has shown, and nothing moves when the logo comes. */
async function shown(fan: Fan): Promise<void> {
  for (const until = Date.now() + 10_000; !(await (await fan.page.request.get(fan.room)).text()).includes("v=2"); ) assert.ok(Date.now() < until, "the edge does not show the look");
  const other = await fan.another(390);
  await other.arrive();
  await other.page.locator(".look img").waitFor();
  await other.page.locator("section.stand h1").waitFor();
  assert.equal(await other.page.locator(".look .brand").textContent(), title, "HTML stays text");
  assert.equal(await other.page.locator(".top .brand").isVisible(), false);
  assert.ok(await other.page.locator(".look img").evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth === 480), "the logo is loaded");
  const moved = await movedInLoad(other.page);
  assert.ok(moved.value < 0.01, `something moved: ${moved.of}`);
  await look(other.page, "room-dressed");
  await inTwo(fan);
  await inPieces(fan);
  const plain = await fan.context.newPage();
  watch(plain, fan.troubles);
  await plain.goto(`${fan.room}?plain`);
  await plain.locator(".look .brand").waitFor();
  await look(plain, "plain-dressed");
  await plain.close();
  await other.context.close();
}

/** A page that comes in two pieces does not move when the second comes: a busy browser draws what it has. */
async function inTwo(fan: Fan): Promise<void> {
  const html = await (await fan.page.request.get(fan.room)).text();
  const cut = html.indexOf('<section class="look"');
  let rest = () => {};
  const site = createServer(async (request, answer) => {
    if (request.url === "/") {
      answer.setHeader("Content-Type", "text/html").write(html.slice(0, cut));
      rest = () => answer.end(html.slice(cut));
      return;
    }
    const file = await fetch(fan.stack.url + request.url);
    answer.writeHead(file.status, { "Content-Type": file.headers.get("Content-Type") ?? "" }).end(Buffer.from(await file.arrayBuffer()));
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  try {
    const page = await fan.context.newPage();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`, { waitUntil: "commit" });
    await page.waitForFunction(() => performance.getEntriesByName("first-paint").length > 0);
    rest();
    await page.locator(".look .brand").waitFor();
    await settled(page);
    const moved = await movedInLoad(page);
    assert.ok(moved.value < 0.01, `something moved: ${moved.of}`);
    await page.close();
  } finally {
    site.closeAllConnections();
    site.close();
  }
}

/** Nor does it when a busy browser, or a slow edge, brings what is beside the place one by one. */
async function inPieces(fan: Fan): Promise<void> {
  const staff = new Staff(fan.stack);
  const { cap } = await staff.live();
  await staff.cap(0); // nobody's turn comes meanwhile
  try {
    for (const width of [390, 1280]) await piece(await fan.another(width));
  } finally {
    await staff.cap(cap);
  }
}

async function piece(fan: Fan): Promise<void> {
  const { page } = fan;
  await fan.outlastTheDraw();
  const gates: { asked: Promise<void>; open: () => void }[] = [];
  for (const address of [new RegExp(`/api/v1/sales/${fan.stack.sale}$`), /\/news-[^/]*\.js$/, /\/news-[^/]*\.css$/, /\/terms\?/, /\/stock$/]) gates.push(await hold(page, address));
  await fan.arrive();
  await fan.sees("waiting");
  for (const { asked, open } of gates) {
    await asked; // each piece asks for the next
    await settled(page);
    open();
  }
  await page.locator(".news .tiers li:not([data-chance=''])").first().waitFor();
  const moved = await movedInLoad(page);
  assert.ok(moved.value < 0.01, `something moved: ${moved.of}`);
  await fan.context.close();
}

/** The organizer's own site, of another origin. */
async function button(fan: Fan): Promise<void> {
  const snippet = await fan.page.locator(".snippet").textContent();
  const site = createServer((_request, answer) => answer.setHeader("Content-Type", "text/html").end(`<!doctype html><title>Opera</title><h1>Opera</h1>${snippet}<iframe src="${fan.room}"></iframe>`));
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  try {
    const page = await fan.context.newPage();
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    const link = page.getByRole("link", { name: /^Tickets/ });
    await link.locator("small").waitFor();
    assert.equal(await link.evaluate((each) => getComputedStyle(each).backgroundColor), accent);
    assert.ok(!page.frames().some((frame) => frame.url().startsWith(fan.room)), "the room is in a frame of another site's");
    await link.click();
    await page.locator("section.stand h1").waitFor();
    assert.ok(page.url().startsWith(fan.room));
    await page.close();
  } finally {
    site.closeAllConnections();
    site.close();
  }
}
