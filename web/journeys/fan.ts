// The steps that several journeys share: one fan in one browser.

import assert from "node:assert/strict";
import type { BrowserContext, Locator, Page } from "playwright-core";
import type { Sale } from "../src/api/documents";
import { leaving, shop as words, waiting } from "../src/messages/en";
import { settled, watch } from "./look";
import type { Stack } from "./stack";

export type Scene = "lobby" | "drawing" | "waiting" | "offered" | "active" | "expired" | "elsewhere" | "left" | "done";

export class Fan {
  readonly stack: Stack;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly troubles: string[];

  constructor(stack: Stack, context: BrowserContext, page: Page, troubles: string[]) {
    this.stack = stack;
    this.context = context;
    this.page = page;
    this.troubles = troubles;
  }

  get room(): string {
    return `${this.stack.url}/sales/${this.stack.sale}`;
  }

  /** The same browser, another tab. */
  async secondTab(): Promise<Fan> {
    const page = await this.context.newPage();
    watch(page, this.troubles);
    await page.goto(this.page.url());
    return new Fan(this.stack, this.context, page, this.troubles);
  }

  /** Another device, or another person: a browser that shares nothing with this one. */
  async another(width: number): Promise<Fan> {
    const context = await this.context.browser()!.newContext({ locale: "en-GB", viewport: { width, height: 844 } });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    watch(page, this.troubles);
    return new Fan(this.stack, context, page, this.troubles);
  }

  /** How many are in line, as the sale tells. */
  async inLine(): Promise<number> {
    const sale: Sale = await (await this.page.request.get(`${this.stack.url}/api/v1/sales/${this.stack.sale}`)).json();
    return sale.status.entrants;
  }

  async arrive(): Promise<void> {
    await this.page.goto(this.room);
  }

  /** Until whoever joins stands behind who is there already, on a stack that has just begun, too. Caps are 0 meanwhile. */
  async outlastTheDraw(): Promise<void> {
    await this.arrive();
    await this.sees("waiting");
    await this.leave();
    await this.page.evaluate(() => localStorage.clear()); // where the page notes that it left
  }

  async sees(...scenes: Scene[]): Promise<Scene> {
    const any = scenes.map((scene) => `[data-scene="${scene}"]`).join(",");
    // Up to the opening of a stack of our own, the draw, and the crowd ahead.
    const stand = this.page.locator(any);
    await stand.waitFor({ timeout: 60_000 });
    return (await stand.getAttribute("data-scene")) as Scene;
  }

  async position(): Promise<number> {
    const text = await this.page.locator('[data-scene="waiting"] h1 > span').first().innerText();
    return Number(text.replace(/\D/g, ""));
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: true });
  }

  async leave(): Promise<void> {
    await this.button(waiting.leave).click();
    await this.button(leaving.go).click();
    await this.sees("left");
  }

  /** From the offer into the shop, until its numbers are there. */
  async comeIn(): Promise<void> {
    await this.sees("offered");
    await this.button(waiting.offered.claim).click();
    await this.page.waitForURL("**/shop");
    await this.page.locator(".tiers").waitFor();
    await this.page.locator(".bar .note").filter({ hasText: /\d/ }).waitFor();
  }

  /** From the front page into a room where nobody waits until the shop is full; in its first second somebody may. */
  async enter(): Promise<void> {
    await this.page.locator(".sales a").filter({ hasText: /Lanterns/ }).click();
    const turn = this.button(waiting.offered.claim);
    await this.page.locator(".bar .note").or(turn).waitFor({ timeout: 60_000 });
    if (await turn.isVisible()) await turn.click();
    await this.page.waitForURL("**/shop");
  }

  /** Picks seats with the mouse, by what the map says is under it. */
  async pickOnMap(wanted: number): Promise<string[]> {
    const box = await this.page.locator("canvas").boundingBox();
    assert.ok(box);
    const names: string[] = [];
    const readout = this.page.locator(".pointed");
    for (let y = box.y + box.height * 0.4; y < box.y + box.height && names.length < wanted; y += 9) {
      for (let x = box.x + box.width * 0.35; x < box.x + box.width * 0.65 && names.length < wanted; x += 7) {
        await this.page.mouse.move(x, y);
        await settled(this.page);
        const text = await readout.innerText();
        const name = text.split(" · ")[0]!;
        if (!text.endsWith(words.seatState.free) || names.includes(name)) continue;
        await this.page.mouse.click(x, y);
        await readout.filter({ hasText: words.seatState.picked }).waitFor();
        names.push(name);
      }
    }
    assert.equal(names.length, wanted, "free seats found on the map");
    return names;
  }

  /** Pays with the card whose bank asks, and answers there. */
  async payAsked(answer: "Yes" | "No"): Promise<void> {
    await this.page.getByLabel(words.pay.email).fill("fan@example.com");
    await this.page.getByLabel(words.pay.methods.sandbox_action.name).check();
    await this.page.getByRole("button", { name: /^Pay / }).click();
    await this.page.getByRole("heading", { name: "Sandbox bank" }).waitFor();
    await this.page.getByRole("button", { name: new RegExp(`^${answer}`) }).click();
    await this.page.waitForURL("**/shop");
  }

  async basketLines(): Promise<string[]> {
    return this.page.locator(".lines li").allInnerTexts();
  }
}

/** What is told of a sale is a tick old at most. */
export async function until(holds: () => Promise<boolean>, what: string, patience = 15_000): Promise<void> {
  for (const deadline = Date.now() + patience; Date.now() < deadline; await new Promise((done) => setTimeout(done, 100))) if (await holds()) return;
  throw new Error(`never: ${what}`);
}
