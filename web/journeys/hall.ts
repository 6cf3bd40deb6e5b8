import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Performance } from "../src/api/documents";
import { home, shop as words } from "../src/messages/en";
import { Fan } from "./fan";
import { look, settled } from "./look";
import { middle, type Tasks, tasksDuring, told } from "./smooth";
import { Buyers } from "./staff";
import { startStack } from "./stack";

interface Figures extends Tasks {
  /** Frames of the socket that had news of seats. */
  news: number;
}

/** A hall of 20,000 seats while many buy: the map is told, and stays smooth to look at, to drag and to zoom. */
export async function hall(fan: Fan): Promise<void> {
  const stack = await startStack({ safety_net: true, cap: 100, token_life: 300, seats: 20_000, general: 100 });
  try {
    const mine = new Fan(stack, fan.context, fan.page, fan.troubles);
    const { page } = mine;
    let news = 0;
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => void (news += String(payload).includes('"runs"') ? 1 : 0)));
    await page.goto(stack.url);
    await page.getByText(home.phase.open).waitFor();
    await mine.enter();
    await page.locator(".bar .note").filter({ hasText: /\d/ }).waitFor();
    const sale = await (await page.request.get(`${stack.url}/api/v1/sales/${stack.sale}`)).json();
    const show: Performance = await (await page.request.get(`${stack.url}/api/v1/performances/${sale.performances[0]}`)).json();
    const seats = show.rows.reduce((sum, row) => sum + row.count, 0);
    assert.equal(seats, 20_000);

    const buyers = new Buyers(stack, show.id, seats);
    await buyers.comeIn(90);
    const measure = async (name: string, during: () => Promise<void>): Promise<Figures> => {
      const before = news;
      const seen = await tasksDuring(page, () => Promise.all([buyers.hold(30, 100), during()]));
      const figures = { ...seen, news: news - before };
      console.log(`     hall, ${name}: ${figures.news} frames of news, ${told(figures)}`);
      return figures;
    };
    const looking = await measure("looking on", () => page.waitForTimeout(5_000));
    await quiet(page);
    const kept = await picture(page);
    await page.emulateMedia({ colorScheme: "dark" }); // and back: all is drawn anew
    await quiet(page);
    assert.notEqual(await picture(page), kept);
    await page.emulateMedia({ colorScheme: "light" });
    await quiet(page);
    assert.equal(await picture(page), kept, "what was drawn seat by seat is what is drawn at once");

    const box = (await page.locator("canvas").boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    const zooming = await measure("zooming", async () => {
      for (let i = 0; i < 60; i++) {
        await page.mouse.wheel(0, i % 30 < 16 ? -120 : 110);
        await page.waitForTimeout(60);
      }
    });
    const dragging = await measure("dragging", async () => {
      await page.mouse.down();
      for (let i = 0; i < 200; i++) {
        await page.mouse.move(x + 120 * Math.sin(i / 5), y + 90 * Math.cos(i / 7));
        await page.waitForTimeout(16);
      }
      await page.mouse.up();
    });
    for (const [name, figures] of Object.entries({ looking, zooming, dragging })) {
      // It took 220 ms for each of them once.
      assert.ok(figures.news > 0, `${name}: nobody told of seats`);
      assert.ok(Math.max(0, ...figures.long) < 100, `${name}: a task took too long: ${told(figures)}`);
      assert.ok(middle(figures.frames) < 40, `${name}: frames are far apart: ${told(figures)}`);
    }
    await page.getByRole("button", { name: words.map.whole }).click();
    await look(page, "hall-whole");
    for (let i = 0; i < 6; i++) await page.getByRole("button", { name: words.map.zoomIn }).click(); // until one seat can be told from another
    await quiet(page);
    const [seat] = await mine.pickOnMap(1);
    assert.ok(seat);
    await look(page, "hall");
    await mine.button(words.view.list).click(); // the same for keyboard and screen reader
    await page.getByLabel(words.list.section).selectOption({ index: 1 });
    await page.locator(".list summary").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".list .seats button").first().waitFor();
  } finally {
    await stack.stop();
  }
}

/** Until all that was told is on the screen. */
async function quiet(page: Page): Promise<void> {
  let before = "";
  for (let same = 0; same < 4; ) {
    await page.waitForTimeout(300);
    await settled(page);
    const now = await picture(page);
    same = now === before ? same + 1 : 0;
    before = now;
  }
}

function picture(page: Page): Promise<string> {
  return page.locator("canvas").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
}
