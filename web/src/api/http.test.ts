import { afterEach, expect, test, vi } from "vitest";
import { call, Disconnected, Refusal } from "./http";

afterEach(() => void vi.unstubAllGlobals());

function answers(body: string, init: ResponseInit) {
  const fetch = vi.fn(async (_path: string, _init: RequestInit) => new Response(init.status === 304 || init.status === 204 ? null : body, init));
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

test("a problem document becomes a refusal with its code and advice", async () => {
  answers(JSON.stringify({ type: "urn:ropeline:problem:rate-limited", title: "Too Many Requests", status: 429, detail: "Please wait." }), {
    status: 429,
    headers: { "Retry-After": "7" },
  });
  await expect(call("GET", "/x")).rejects.toEqual(expect.objectContaining({ status: 429, code: "rate-limited", message: "Please wait.", retryAfter: 7 }));
});

test("a refusal that is no document of ours keeps its status", async () => {
  answers("<html>", { status: 502 });
  const refusal = await call("GET", "/x").catch((cause: unknown) => cause);
  expect(refusal).toBeInstanceOf(Refusal);
  expect(refusal).toMatchObject({ status: 502, code: "", retryAfter: undefined });
});

test("no answer, and an answer that is none, are disconnections", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("network");
  });
  await expect(call("GET", "/x")).rejects.toBeInstanceOf(Disconnected);
  answers("<html>sign in to the hotel's network</html>", { status: 200 });
  await expect(call("GET", "/x")).rejects.toBeInstanceOf(Disconnected);
});

test("204 and an accepted 304 have no body", async () => {
  answers("", { status: 204 });
  expect((await call("DELETE", "/x")).body).toBeUndefined();
  answers("", { status: 304 });
  expect(await call("GET", "/x", { accept: [304] })).toMatchObject({ status: 304, body: undefined });
});

test("a body is sent as JSON", async () => {
  const fetch = answers("{}", { status: 200 });
  await call("POST", "/x", { body: { a: 1 }, headers: { "Ropeline-Sale": "demo" } });
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({
    method: "POST",
    body: '{"a":1}',
    headers: { "Content-Type": "application/json", "Ropeline-Sale": "demo" },
  });
});
