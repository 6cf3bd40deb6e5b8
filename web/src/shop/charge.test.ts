import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Order } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { shop as words } from "../messages/en";
import { lastAttempt } from "./attempt";
import { charge, type Send } from "./charge";

const order = { id: "o1" } as Order;

beforeEach(() => {
  vi.useFakeTimers();
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Pays while the clock runs for a minute. */
async function pay(send: Send) {
  const end = charge(send, "h1", "fan@example.org", "card").catch((cause: unknown) => cause);
  await vi.advanceTimersByTimeAsync(60_000);
  return await end;
}

const refusal = (status: number, code: string, retryAfter?: number) => new Refusal(status, code, "", retryAfter);
const keys = (send: { mock: { calls: string[][] } }) => new Set(send.mock.calls.map(([key]) => key)).size;

test("while a payment runs the same key is sent again, when the server says", async () => {
  const at: number[] = [];
  const start = Date.now();
  const send = vi.fn<Send>(async () => {
    at.push(Date.now() - start);
    if (at.length < 3) throw refusal(409, "payment-running", 2);
    return order;
  });
  expect(await pay(send)).toBe(order);
  expect(at).toEqual([0, 2_000, 4_000]);
  expect(keys(send)).toBe(1);
});

test("a payment that runs for ever is given up, and keeps its key", async () => {
  const send = vi.fn<Send>().mockRejectedValue(refusal(409, "payment-running", 2));
  expect(await pay(send)).toMatchObject({ code: "payment-running" });
  expect(send).toHaveBeenCalledTimes(21);
  expect(lastAttempt("h1")?.key).toBe(send.mock.calls[0]?.[0]);
});

test.each([
  [402, "payment-declined"],
  [409, "payment-failed"],
  [503, "payment-unavailable"],
])("%i %s is final: it is not repeated, and the next try has a new key", async (status, code) => {
  const send = vi.fn<Send>().mockRejectedValue(refusal(status, code));
  expect(await pay(send)).toMatchObject({ code });
  expect(await pay(send)).toMatchObject({ code });
  expect(send).toHaveBeenCalledTimes(2);
  expect(keys(send)).toBe(2);
});

test("a lost answer is asked for with the same key, also after the fan is told that it is unclear", async () => {
  const send = vi.fn<Send>().mockRejectedValue(new Disconnected("down"));
  expect(await pay(send)).toEqual(new Error(words.problem.unclear));
  expect(send).toHaveBeenCalledTimes(3);
  send.mockResolvedValue(order);
  expect(await pay(send)).toBe(order);
  expect(keys(send)).toBe(1);
});

test("a store that is away says nothing about the payment: the key stays", async () => {
  const send = vi.fn<Send>().mockRejectedValueOnce(refusal(503, "store-away", 2)).mockResolvedValue(order);
  expect(await pay(send)).toMatchObject({ code: "store-away" });
  expect(await pay(send)).toBe(order);
  expect(keys(send)).toBe(1);
});
