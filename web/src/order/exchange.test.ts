import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ExchangeQuote, Order } from "../api/documents";
import { order as orderWords, shop } from "../messages/en";
import { lastAttempt } from "../shop/attempt";
import { Exchange } from "./exchange";
import { keptExchange, keptOrders } from "./keep";

const words = orderWords.exchange.problem;
const order = { id: "o1", sale: "s1", performance: "p1", email: "fan@example.org", created_at: "2026-11-01T00:00:00Z" } as Order;
const made = { ...order, id: "o2", key: "k2", state: "paid", tickets: [{}] } as Order;
const later = () => new Date(Date.now() + 600_000).toISOString();
const quoted = (more: Partial<ExchangeQuote> = {}): ExchangeQuote => ({
  hold: "h1",
  expires_at: later(),
  performance: "p1",
  lines: [{ unit: 7, label: "A-7", tier: "t1", price: { amount: 5000, currency: "EUR" } }],
  currency: "EUR",
  price: 5000,
  fee: 200,
  worth: 4300,
  to_pay: 700,
  refund: 0,
  ...more,
});
const show = { id: "p1", sale: "s1", title: "", venue: "", starts_at: later(), tariff: {}, rows: [], tiers: [{ id: "t1", name: "Floor", kind: "general", price: { amount: 5000, currency: "EUR" }, first: 0, count: 8 }] };

type Reply = { status?: number; body?: unknown } | "lost";
interface Asked {
  method: string;
  path: string;
  key: string | null;
  body: Record<string, unknown>;
}

let asked: Asked[];
let replies: Record<string, Reply[]>;
let over: number;
const refusal = (status: number, code: string): Reply => ({ status, body: { type: `urn:ropeline:problem:${code}`, detail: "" } });
const of = (method: string, path: string) => asked.filter((each) => each.method === method && each.path.endsWith(path));

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  [asked, replies, over] = [[], {}, 0];
  vi.stubGlobal("sessionStorage", storage());
  vi.stubGlobal("localStorage", storage());
  vi.stubGlobal("document", { visibilityState: "visible", documentElement: { lang: "en" } });
  vi.stubGlobal("location", { origin: "https://shop.example", pathname: "/orders/o1", assign: vi.fn() });
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    const method = init.method ?? "GET";
    asked.push({ method, path, key: headers.get("Idempotency-Key"), body: JSON.parse(String(init.body ?? "{}")) });
    const list = replies[`${method} ${path.replace(/.*\/api\/v1/, "")}`] ?? [];
    const reply = list.length > 1 ? list.shift()! : list[0];
    if (reply === undefined || reply === "lost") throw new TypeError("network");
    const status = reply.status ?? 200;
    return new Response(status === 204 ? null : JSON.stringify(reply.body), { status });
  });
  replies["PUT /orders/o1/exchange/hold"] = [{ body: quoted() }];
  replies["GET /sales/s1"] = [{ body: { performances: ["p1"] } }];
  replies["GET /performances/p1"] = [{ body: show }];
  replies["GET /performances/p1/availability"] = [{ body: { as_of: new Date().toISOString(), taken: "AA==", sold: "AA==", tiers: [] } }];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const exchange = () => new Exchange(order, "k1", ["a"], () => {}, () => void over++);

/** One whose new place is held. */
async function held(): Promise<Exchange> {
  const x = exchange();
  x.tick();
  await vi.advanceTimersByTimeAsync(10);
  await x.take({ tier: "t1", quantity: 1 });
  expect(of("PUT", "/exchange/hold")[0]?.body).toEqual({ tickets: ["a"], for: { performance: "p1", tier: "t1", quantity: 1 } });
  expect(x.hold?.total).toEqual({ amount: 700, currency: "EUR" });
  return x;
}

async function pay(x: Exchange, method = "card"): Promise<void> {
  const paid = x.pay("", method);
  await vi.advanceTimersByTimeAsync(60_000);
  await paid;
}

test("a lost answer is asked for again with the same key, also after a reload, and exchanges once", async () => {
  const x = await held();
  replies["POST /orders/o1/exchange"] = ["lost"];
  await pay(x);
  expect(x.problem).toBe(words.unclear);
  const again = exchange(); // the page is loaded anew
  expect(again.quote).toEqual(x.quote);
  replies["POST /orders/o1/exchange"] = ["lost", { status: 201, body: made }];
  await pay(again);
  const posts = of("POST", "/exchange");
  expect(posts).toHaveLength(5);
  expect(new Set(posts.map((each) => each.key)).size).toBe(1);
  expect(new Set(posts.map((each) => JSON.stringify(each.body))).size).toBe(1);
  expect(posts[0]!.body).toEqual({ hold: "h1", tickets: ["a"], total: { amount: 700, currency: "EUR" }, payment_method: "card", return_url: "https://shop.example/orders/o1" });
  expect(again.made?.id).toBe("o2");
  expect(keptOrders().map((each) => each.id)).toEqual(["o2"]);
  expect([keptExchange("o1"), lastAttempt("h1")]).toEqual([undefined, undefined]);
});

test("a declined card keeps the places, and the next one is another payment", async () => {
  const x = await held();
  replies["POST /orders/o1/exchange"] = [refusal(402, "payment-declined"), { status: 201, body: made }];
  await pay(x);
  expect([x.problem, x.hold?.id]).toEqual([shop.problem.declined, "h1"]);
  await pay(x);
  expect(new Set(of("POST", "/exchange").map((each) => each.key)).size).toBe(2);
});

test("whoever was at the bank is known when they come back without the key, and hears what became of it", async () => {
  const x = await held();
  replies["POST /orders/o1/exchange"] = [{ status: 202, body: { ...made, state: "pending", action: "https://bank.example/1" } }];
  await pay(x);
  expect(location.assign).toHaveBeenCalledWith("https://bank.example/1");
  expect(keptOrders("s1").find((each) => each.id === "o1")?.key).toBe("k1");
  const back = exchange();
  expect(back.returning).toBe(true);
  replies["POST /orders/o1/exchange"] = [{ status: 201, body: made }];
  back.tick();
  await vi.advanceTimersByTimeAsync(10);
  expect(back.made?.id).toBe("o2");
  expect(new Set(of("POST", "/exchange").map((each) => each.key)).size).toBe(1);
});

test("a bank that says no leaves the places, which are held anew, and no order that never was", async () => {
  const x = await held();
  replies["POST /orders/o1/exchange"] = [{ status: 202, body: { ...made, state: "pending", action: "https://bank.example/1" } }, refusal(402, "payment-declined")];
  await pay(x);
  replies["PUT /orders/o1/exchange/hold"] = [{ body: quoted({ hold: "h2" }) }];
  const back = exchange();
  back.tick();
  await vi.advanceTimersByTimeAsync(10);
  expect([back.returning, back.problem, back.hold?.id]).toEqual([false, shop.problem.declined, "h2"]);
  expect(of("PUT", "/exchange/hold").at(-1)?.body).toEqual({ tickets: ["a"], for: { performance: "p1", units: [7] } });
  expect(keptOrders().map((each) => each.id)).toEqual(["o1"]);
  expect(keptExchange("o1")).toMatchObject({ quote: { hold: "h2" } });
  expect(keptExchange("o1")?.away).toBeUndefined();
});

test.each([
  ["price-changed", shop.problem.price],
  ["refund-changed", words.less],
])("%s shows the new difference before anything is done", async (code, text) => {
  const x = await held();
  replies["POST /orders/o1/exchange"] = [refusal(409, code)];
  replies["PUT /orders/o1/exchange/hold"] = [{ body: quoted({ hold: "h2", to_pay: 900 }) }];
  await pay(x);
  expect([x.problem, x.hold?.total.amount]).toEqual([text, 900]);
  expect(of("POST", "/exchange")).toHaveLength(1);
});

test.each([
  ["exchange-coupon", words.coupon],
  ["exchange-closed", words.closed],
  ["exchange-account", words.account],
  ["exchange-running", words.running],
  ["order-disputed", words.disputed],
  ["order-dispute-lost", words.lost],
  ["sold-at-counter", words.counter],
  ["tickets-not-valid", words.gone],
  ["units-taken", shop.problem.taken],
  ["sold-out", shop.problem.soldOut],
  ["card-limit", shop.problem.cardLimit],
  ["network-limit", shop.problem.networkLimit],
])("%s is said in plain words, and nothing is held", async (code, text) => {
  const x = exchange();
  x.tick();
  await vi.advanceTimersByTimeAsync(10);
  replies["PUT /orders/o1/exchange/hold"] = [refusal(409, code)];
  await x.take({ units: [7] });
  expect([x.problem, x.quote, keptExchange("o1")]).toEqual([text, undefined, undefined]);
});

test("what is being paid for is not given back: the order is shown, and the exchange may be gone on with", async () => {
  const x = await held();
  replies["DELETE /orders/o1/exchange/hold"] = [refusal(409, "payment-running")];
  await x.go();
  expect([over, keptExchange("o1")?.quote.hold]).toEqual([1, "h1"]);
  replies["DELETE /orders/o1/exchange/hold"] = [{ status: 204 }];
  await x.go();
  expect([over, x.quote, keptExchange("o1")]).toEqual([1, undefined, undefined]);
});

test("a hold whose time is over is let go, but not one that may have been paid for", async () => {
  const x = await held();
  await vi.advanceTimersByTimeAsync(601_000);
  x.tick();
  expect([x.quote, x.problem]).toEqual([undefined, shop.problem.holdExpired]);
  replies["PUT /orders/o1/exchange/hold"] = [{ body: quoted() }];
  await x.take({ units: [7] });
  replies["POST /orders/o1/exchange"] = ["lost"];
  await pay(x);
  await vi.advanceTimersByTimeAsync(601_000);
  x.tick();
  expect(x.quote?.hold).toBe("h1");
});

test("as many places are picked as tickets are given: one more takes the place of the first", async () => {
  const x = new Exchange(order, "k1", ["a", "b"], () => {}, () => {});
  x.tick();
  await vi.advanceTimersByTimeAsync(10);
  for (const unit of [1, 2, 3]) x.pick({ unit } as Parameters<typeof x.pick>[0]);
  expect([...x.picked]).toEqual([2, 3]);
  x.pick({ unit: 2 } as Parameters<typeof x.pick>[0]);
  expect([...x.picked]).toEqual([3]);
});
