import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { Page } from "playwright-core";

import type { Order, Sale, Status, Stock } from "../src/api/documents";
import { leaving, news as words } from "../src/messages/en";
import { Fan, until } from "./fan";
import { look } from "./look";
import { binary, sql, type Stack, startStack } from "./stack";
import { Staff } from "./staff";

/** Somebody else takes the last tickets: the fan hears of it, of a message and of changed terms, and leaves when all is sold. */
export async function news(fan: Fan): Promise<void> {
  const stack = await startStack({ opens_in: 6, lobby_close: 2, cap: 1, seats: 0, general: 4, units_per_hold: 4, token_life: 30 });
  try {
    const buyer = new Buyer(stack);
    await buyer.comeIn();
    const here = new Fan(stack, fan.context, fan.page, fan.troubles);
    await here.arrive();
    await here.sees("waiting");
    const { page } = here;
    await page.locator(".news .tiers").getByText("Standing").waitFor();
    await page.getByText("€45.00").waitFor();

    await buyer.hold();
    await heading(page, words.soldOut.returns.heading).waitFor();
    await new Staff(stack).say({ en: "The band goes on at nine.", de: "Die Band spielt um neun." });
    await page.locator(".news").getByText("The band goes on at nine.").waitFor();
    changePrice(stack, 5000);
    await heading(page, words.changed.heading).waitFor();
    await page.getByText(words.changed.what("price", "Standing", "€45.00", "€50.00")).waitFor();
    await page.getByText("The hall is larger.").waitFor();
    await look(page, "news");

    await buyer.pay();
    await heading(page, words.soldOut["sold-out"].heading).waitFor();
    assert.equal(await heading(page, words.soldOut.returns.heading).count(), 0);
    await page.locator(".news").getByRole("button", { name: words.soldOut.leave }).click();
    await here.button(leaving.go).click();
    await here.sees("left");
    assert.equal(await page.locator(".news").isVisible(), false);
  } finally {
    await stack.stop();
  }
}

const heading = (page: Page, name: string) => page.locator(".news").getByRole("heading", { name });

/** The catalogue has no desk yet: a price is changed where it is kept, and published with a reason. */
function changePrice(stack: Stack, amount: number): void {
  sql(stack, `update tiers set amount = ${amount}`);
  const servers = ["--redis", stack.redis!, "--postgres", stack.postgres!, "--keys", stack.keys!];
  execFileSync(binary, ["publish", stack.sale, ...servers, "--reason", "The hall is larger."]);
}

/** A fan without a browser, who buys everything. */
export class Buyer {
  readonly #stack: Stack;
  #token = "";
  #held = "";

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async comeIn(): Promise<void> {
    const place = `/api/v1/sales/${this.#stack.sale}/place`;
    const { ticket } = await this.#ask<Status & { ticket: string }>("POST", place, "", {});
    await until(async () => (await this.#ask<Status>("GET", place, ticket)).state === "offered", "the buyer is offered");
    this.#token = (await this.#ask<{ token: string }>("POST", `${place}/claim`, ticket, {})).token;
  }

  async hold(): Promise<void> {
    const { performances } = await this.#ask<Sale>("GET", `/api/v1/sales/${this.#stack.sale}`, "");
    const { tiers } = await this.#ask<Stock>("GET", `/api/v1/sales/${this.#stack.sale}/stock`, "");
    const body = { performance: performances[0], tier: tiers[0]!.tier, quantity: 4 };
    this.#held = (await this.#ask<{ id: string }>("POST", "/api/v1/holds", this.#token, body)).id;
  }

  async pay(): Promise<Order> {
    return this.#ask<Order>("POST", "/api/v1/orders", this.#token, { hold: this.#held, email: "buyer@example.org", payment_method: "sandbox_ok" });
  }

  async #ask<T>(method: string, path: string, bearer: string, body?: object): Promise<T> {
    const headers: Record<string, string> = { "Ropeline-App": "1", "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
    if (bearer !== "") headers.Authorization = `Bearer ${bearer}`;
    const answer = await fetch(this.#stack.url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }
}
