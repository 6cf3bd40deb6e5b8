// What staff and other fans do while one fan is watched, over the public interface.

import type { Live, Status } from "../src/api/documents";
import type { Stack } from "./stack";

async function request<T>(stack: Stack, method: string, path: string, headers: Record<string, string>, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await fetch(stack.url + path, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The SRE's desk. */
export class Staff {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    if (stack.staffKey === "") throw new Error("this journey needs ROPELINE_STAFF_KEY");
    this.#stack = stack;
  }

  live(): Promise<Live> {
    return this.#ask("GET", "");
  }

  async cap(cap: number): Promise<void> {
    const { cap: before } = await this.live();
    if (before !== cap) await this.#ask("POST", "/steer", { set: { cap }, expect: { cap: before }, reason: "journey" });
  }

  /** As the automatic mode does it, whatever the rate was. */
  async rate(rate: number): Promise<void> {
    const { version } = await this.live();
    await this.#ask("POST", "/steer", { set: { rate }, expect: { version }, reason: "journey" });
  }

  async resumed(): Promise<void> {
    const { mode } = await this.live();
    if (mode !== "run") await this.#ask("POST", "/steer", { set: { mode: "run" }, expect: { mode }, reason: "journey" });
  }

  /** Nobody but people steers, and no bound is left. */
  async manual(): Promise<void> {
    const { version } = await this.live();
    await this.#ask("POST", "/steer", { set: { auto: null, min_cap: 0 }, expect: { version }, reason: "journey" });
  }

  /** Lets the fan of a session come in again, whom the shop failed. */
  async reentry(session: string): Promise<void> {
    await this.#ask("POST", `/sessions/${session}/reentry`, { reason: "journey" });
  }

  /** Tells everybody who waits something. */
  async say(texts: Record<string, string>): Promise<void> {
    await this.#ask("POST", "/message", { texts, default: "en", reason: "journey" });
  }

  /** Blocks a place, and says which block that is. */
  async block(place: string): Promise<string> {
    const headers = { Authorization: `Bearer ${this.#stack.staffKey}`, "Idempotency-Key": crypto.randomUUID() };
    const made = await request<{ id: string }>(this.#stack, "POST", "/api/v1/organizer/blocks", headers, { place, for: 3600, reason: "journey" });
    return made.id;
  }

  async lift(block: string): Promise<void> {
    const headers = { Authorization: `Bearer ${this.#stack.staffKey}` };
    await request(this.#stack, "POST", `/api/v1/organizer/blocks/${block}/lift`, headers, { reason: "journey" });
  }

  /** Takes a coupon of the demo back. */
  async withdraw(coupon: string): Promise<void> {
    const headers = { Authorization: `Bearer ${this.#stack.staffKey}` };
    await request(this.#stack, "POST", `/api/v1/organizer/shops/theater/coupons/${coupon}/withdraw`, headers, { reason: "journey" });
  }

  /** Uses a coupon at the till of the demo's theater, and says what is to pay. */
  async redeem(code: string, amount: number): Promise<number> {
    const headers = { Authorization: `Bearer ${this.#stack.staffKey}`, "Idempotency-Key": crypto.randomUUID() };
    const body = { code, total: { amount, currency: "EUR" } };
    const spent = await request<{ to_pay: { amount: number } }>(this.#stack, "POST", "/api/v1/organizer/shops/theater/redeem", headers, body);
    return spent.to_pay.amount;
  }

  #ask(method: string, path: string, body?: unknown): Promise<Live> {
    const headers = { Authorization: `Bearer ${this.#stack.staffKey}` };
    return request(this.#stack, method, `/api/v1/ops/sales/${this.#stack.sale}${path}`, headers, body);
  }
}

/** Fans without a browser, in the order in which they joined. */
export class Crowd {
  readonly #stack: Stack;
  readonly #tickets: string[] = [];

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  async join(fans: number): Promise<void> {
    for (let i = 0; i < fans; i++) {
      const status = await request<Status & { ticket: string }>(this.#stack, "POST", this.#place, { "Ropeline-App": "1" }, {});
      this.#tickets.push(status.ticket);
    }
  }

  /** The first who are still here give their places up. */
  async leave(fans: number): Promise<void> {
    for (const ticket of this.#tickets.splice(0, fans)) {
      await request(this.#stack, "DELETE", this.#place, { "Ropeline-App": "1", Authorization: `Bearer ${ticket}` });
    }
  }

  get #place(): string {
    return `/api/v1/sales/${this.#stack.sale}/place`;
  }
}

/** Fans without a browser who hold seats all over the house: each once, since who holds and drops is slowed down. */
export class Buyers {
  readonly #stack: Stack;
  readonly #performance: string;
  readonly #seats: number;
  readonly #tokens: string[] = [];
  #held = 0;

  constructor(stack: Stack, performance: string, seats: number) {
    this.#stack = stack;
    this.#performance = performance;
    this.#seats = seats;
  }

  async comeIn(buyers: number): Promise<void> {
    const place = `/api/v1/sales/${this.#stack.sale}/place`;
    for (let i = 0; i < buyers; i++) {
      const { ticket } = await request<{ ticket: string }>(this.#stack, "POST", place, { "Ropeline-App": "1" }, {});
      const app = { "Ropeline-App": "1", Authorization: `Bearer ${ticket}` };
      for (let tries = 0; this.#tokens.length === i; tries++) {
        try {
          const { token } = await request<{ token: string }>(this.#stack, "POST", `${place}/claim`, app, {});
          this.#tokens.push(token);
        } catch (cause) {
          if (tries > 50) throw cause; // it is not their turn yet
          await new Promise((done) => setTimeout(done, 100));
        }
      }
    }
  }

  /** The next of them holds these places. */
  async take(units: number[]): Promise<void> {
    await request(this.#stack, "POST", "/api/v1/holds", { Authorization: `Bearer ${this.#tokens[this.#held++]!}` }, { performance: this.#performance, units });
  }

  /** So many of them hold six seats, one every so many ms. */
  async hold(buyers: number, every: number): Promise<void> {
    for (const end = this.#held + buyers; this.#held < end; this.#held++) {
      const units = [0, 1, 2, 3, 4, 5].map((k) => (this.#held * 131 + k * 3301) % this.#seats);
      await request(this.#stack, "POST", "/api/v1/holds", { Authorization: `Bearer ${this.#tokens[this.#held]!}` }, { performance: this.#performance, units });
      await new Promise((done) => setTimeout(done, every));
    }
  }
}
