import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { shop, venues as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { fits, look, settled, shiftsOfLoad } from "./look";
import { middle, tasksDuring, told } from "./smooth";
import type { Stack } from "./stack";

const seats = { sections: 20, rows: 25, seats: 40 };
const total = seats.sections * seats.rows * seats.seats;

/** The file of an arena, a seat a line: sections around the stage in arcs. */
function arena(name: string): string {
  const sections = Array.from({ length: seats.sections }, (_, s) => {
    const [ring, block] = [s < 8 ? 0 : 1, s < 8 ? s : s - 8];
    const blocks = ring === 0 ? 8 : 12;
    const category = ring === 0 ? "Lower" : "Upper";
    const rows = Array.from({ length: seats.rows }, (_, r) => {
      const radius = 120 + ring * 60 + r * 1.2;
      const lines = Array.from({ length: seats.seats }, (_, k) => {
        const angle = (Math.PI * (block + 0.06 + (0.88 * (k + 0.5)) / seats.seats)) / blocks;
        const marks = r === 0 && k === 0 ? ',"accessible":true' : r === 0 && k === 1 ? ',"companion":true' : "";
        return `      {"name":"${k + 1}","x":${(-radius * Math.cos(angle)).toFixed(3)},"y":${(radius * Math.sin(angle)).toFixed(3)}${marks}}`;
      });
      return `    {"name":"${r + 1}","rank":${r},"seats":[\n${lines.join(",\n")}]}`;
    });
    return `  {"name":"${category} ${block + 1}","category":"${category}","rows":[\n${rows.join(",\n")}]}`;
  });
  return `{"format":"ropeline-venue/1","name":"${name}","categories":["Lower","Upper","Floor"],\n"sections":[\n${sections.join(",\n")}],\n"areas":[\n  {"name":"Arena floor","category":"Floor","places":500,"x":-45,"y":20,"width":90,"height":60}]}\n`;
}

const file = (text: string) => ({ name: "arena.json", mimeType: "application/json", buffer: Buffer.from(text) });

/** A venue manager imports a hall of 20,000 seats, is told of a seat that is there twice, looks at the map and approves an event's seating. */
export async function venueImport(fan: Fan): Promise<void> {
  const { context, stack } = fan;
  const desk = await context.newPage();
  const text = arena("Harbor Arena");
  await desk.goto(`${stack.url}/desk/venues`);
  await desk.getByLabel(words.signIn.key).fill("not a key");
  await desk.getByRole("button", { name: words.signIn.submit }).click();
  await desk.getByText(words.signIn.wrong).waitFor();
  await desk.goto("about:blank");
  await desk.goto(`${stack.url}/desk/venues#key=${stack.staffKey}`);
  await desk.getByLabel(words.file.choose).waitFor();
  assert.equal(new URL(desk.url()).hash, "", "the key is not in the address any more");
  await fits(desk);

  // A seat that is there twice is named, with its line.
  const lines = text.split("\n");
  const row = lines.findIndex((line) => line.startsWith('  {"name":"Upper 3"')) + 2;
  lines[row + 1] = lines[row]!;
  await desk.getByLabel(words.file.choose).setInputFiles(file(lines.join("\n")));
  await desk.getByRole("button", { name: words.file.send }).click();
  await desk.getByText(words.faults.heading(2)).waitFor();
  const fault = desk.locator(".faults li button").filter({ hasText: 'section "Upper 3", row "1", seat "1": there is another of this name' });
  assert.equal(await fault.locator("b").textContent(), words.faults.line(row + 2));
  await fault.press("Enter");
  await desk.locator(".excerpt .here").getByText('"name":"1"').waitFor();
  await settled(desk);
  assert.ok(await desk.evaluate(() => document.activeElement?.classList.contains("excerpt")), "what is jumped to has the focus");
  await look(desk, "venues", desk.locator(".faults"));

  await desk.getByLabel(words.file.choose).setInputFiles(file(text));
  await desk.getByRole("button", { name: words.file.send }).click();
  await desk.waitForURL(/\?venue=/);
  await desk.getByRole("heading", { name: "Harbor Arena" }).waitFor();
  const venue = new URL(desk.url()).searchParams.get("venue")!;
  const places = total + 500;
  await desk.getByText(words.map.total(places, seats.sections)).waitFor();
  await fits(desk);
  assert.ok((await shiftsOfLoad(desk)) < 0.1, "the page moves while it is loaded");
  await desk.waitForTimeout(1_000); // a picture shows seats that are drawn slice by slice
  await look(desk, "venue");

  // The map stays smooth, and tells what a seat is.
  const box = (await desk.locator("canvas").boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await desk.mouse.move(x, y);
  const figures = await tasksDuring(desk, async () => {
    for (let i = 0; i < 20; i++) {
      await desk.mouse.wheel(0, -120);
      await desk.waitForTimeout(50);
    }
    await desk.mouse.down();
    for (let i = 0; i < 60; i++) {
      await desk.mouse.move(x + 90 * Math.sin(i / 5), y + 60 * Math.cos(i / 7));
      await desk.waitForTimeout(16);
    }
    await desk.mouse.up();
  });
  console.log(`     venue-import, zooming and dragging: ${told(figures)}`);
  // As in the journey hall, whose canvas it is.
  assert.ok(Math.max(0, ...figures.long) < 100 && middle(figures.frames) < 40, `it is not smooth: ${told(figures)}`);
  await desk.getByRole("button", { name: shop.map.whole }).click();

  // The same file once more is no other version; another one is.
  const send = async (what: string, reason: string, version: number) => {
    await desk.getByLabel(words.file.choose).setInputFiles(file(what));
    await desk.locator("form", { has: desk.getByRole("button", { name: words.file.send }) }).getByLabel(words.file.reason).fill(reason);
    await desk.getByRole("button", { name: words.file.send }).click();
    await desk.getByText(words.file.kept("Harbor Arena", version, places)).waitFor();
  };
  await send(text, "the same", 1);
  await send(text.replace('"name":"Upper 3"', '"name":"Upper C"'), "a section has another name", 2);
  await desk.getByLabel(words.map.version).selectOption("1");
  await desk.locator('a[download="Harbor Arena 1.json"]').waitFor();
  const [download] = await Promise.all([desk.waitForEvent("download"), desk.getByRole("link", { name: words.map.save }).click()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  assert.equal(download.suggestedFilename(), "Harbor Arena 1.json");
  const exported = JSON.parse(Buffer.concat(chunks).toString());
  assert.equal(exported.sections[10].name, "Upper 3", "the old version has the old name");

  await details(desk);
  await plays(stack, venue);
  await desk.reload();
  await desk.getByText(words.approvals.open).waitFor();
  assert.equal(await desk.locator(".calendar").getByText(words.calendar.clash).count(), 2, "two shows clash");
  await look(desk, "venue-calendar", desk.locator(".calendar"));
  await desk.getByLabel(words.calendar.when).fill("2027-06-01T23:30");
  await desk.getByRole("button", { name: words.calendar.look, exact: true }).click();
  await desk.locator(".near").getByText("The Harbor Night").waitFor();

  const approve = desk.getByRole("button", { name: words.approvals.of(words.approvals.approve, "The Harbor Night") });
  await approve.click();
  await desk.getByText(words.approvals.why).waitFor();
  await desk.getByRole("button", { name: words.approvals.look(2) }).click();
  await desk.locator(".approvals").getByLabel(words.approvals.reason).fill("the stage is at the end");
  await approve.click(); // waits until the map is there
  await desk.getByText(words.approvals.done("The Harbor Night", true)).waitFor();
  await desk.locator(".trail").getByText("the stage is at the end").waitFor();
  await look(desk, "venue-approval", desk.locator(".approvals"));
  await desk.getByRole("button", { name: words.signOut }).click();
  await desk.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await desk.close();
}

async function details(desk: Page): Promise<void> {
  const form = desk.locator(".details");
  await form.getByLabel(words.details.city).fill("Lisboa");
  await form.getByLabel(words.details.country).fill("pt");
  await form.getByLabel(words.details.timeZone).fill("Europe/Lisbon");
  await form.getByLabel(words.details.address).fill("Cais do Porto 1\n1000-001 Lisboa");
  await form.getByLabel(words.details.latitude).fill("38.7");
  await form.getByRole("button", { name: words.details.save }).click();
  await form.getByText(words.details.half).waitFor();
  await form.getByLabel(words.details.longitude).fill("-9.1");
  await form.getByLabel(words.details.picture).setInputFiles({ name: "front.png", mimeType: "image/png", buffer: await desk.locator("canvas").screenshot() });
  await form.getByLabel(words.details.what).fill("The arena from above");
  await form.getByLabel(words.details.reason).fill("what people ask for");
  await form.getByRole("button", { name: words.details.save }).click();
  await desk.getByText(words.details.saved).waitFor();
  await form.locator("img").waitFor();
  await look(desk, "venue-details", form);
}

/** An event that plays there twice in one evening. */
async function plays(stack: Stack, venue: string): Promise<void> {
  const ask = async (method: string, path: string, body: unknown, headers: Record<string, string>) => {
    const response = await fetch(`${stack.url}/api/v1/organizer${path}`, {
      method,
      body: JSON.stringify(body),
      headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", ...headers },
    });
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text);
  };
  const event = await ask("POST", "/events", { title: "The Harbor Night" }, { "Idempotency-Key": venue });
  const prices = { Lower: 9000, Upper: 5000, Floor: 6000 };
  const show = (at: string) => ({ venue, local: { starts_at: at }, prices });
  const sale = `harbor-${venue.slice(-6)}`;
  await ask(
    "PUT",
    `/programs/${sale}`,
    {
      event_id: event.id,
      currency: "EUR",
      performances: [show("2027-06-01T19:00"), show("2027-06-01T22:00"), show("2027-06-02T20:00")],
      sale: {
        id: sale, title: "The Harbor Night", lobby_closes_at: "2027-01-10T08:59:55Z", opens_at: "2027-01-10T09:00:00Z", ends_at: "2027-06-01T16:00:00Z",
        cap: 500, rate: 1200, claim_window: 60, token_life: 60, session_max: 1800, hold: 600, hold_extensions: 1, units_per_hold: 6,
      },
    },
    { "If-None-Match": "*" },
  );
}
