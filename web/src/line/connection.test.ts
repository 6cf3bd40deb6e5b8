import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CloseOverload, type Status } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { BACKOFF, Connection, type Link, OPEN_PATIENCE, OVERLOAD_REST, POLL, QUIET, type Socket } from "./connection";

/** A socket whose far end is the test. */
class Far implements Socket {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;
  close() {
    this.closed = true;
  }
  says(status: Status) {
    this.onmessage?.({ data: JSON.stringify(status) } as MessageEvent);
  }
  hangsUp(code: number) {
    this.onclose?.({ code } as CloseEvent);
  }
}

const at = (position: number): Status => ({
  state: "waiting",
  sale: { id: "demo", phase: "open", opens_at: "", now: "", paused: false, entrants: 9 },
  position,
});

function start(random = 0.5) {
  const sockets: Far[] = [];
  const links: Link[] = [];
  const statuses: Status[] = [];
  const refused: Refusal[] = [];
  const poll = vi.fn<() => Promise<{ status: Status; again: number | undefined }>>();
  poll.mockRejectedValue(new Disconnected("down"));
  const connection = new Connection({
    open: () => {
      const socket = new Far();
      sockets.push(socket);
      return socket;
    },
    poll,
    onStatus: (status) => statuses.push(status),
    onLink: (link) => links.push(link),
    onRefused: (refusal) => refused.push(refusal),
    random: () => random,
  });
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  return { connection, sockets, links, statuses, refused, poll, pass, newest: () => sockets.at(-1)! };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a working socket", () => {
  test("delivers each frame and says live once", () => {
    const { newest, links, statuses } = start();
    newest().says(at(3));
    newest().says(at(2));
    expect(statuses.map((s) => s.position)).toEqual([3, 2]);
    expect(links).toEqual(["live"]);
  });

  test("a frame that is no JSON changes nothing", () => {
    const { newest, statuses } = start();
    newest().onmessage?.({ data: "<html>" } as MessageEvent);
    expect(statuses).toEqual([]);
  });

  test("is asked after by HTTP when silent, and kept if it missed nothing", async () => {
    const { newest, sockets, poll, pass, links } = start();
    newest().says(at(3));
    poll.mockResolvedValue({ status: at(3), again: 5 });
    await pass(QUIET * 2 + 10);
    expect(poll).toHaveBeenCalledTimes(2);
    expect(sockets).toHaveLength(1);
    expect(links).toEqual(["live"]);
  });

  test("is replaced when the answer tells what it should have told", async () => {
    const { newest, sockets, poll, pass, statuses } = start();
    newest().says(at(3));
    poll.mockResolvedValue({ status: at(1), again: 5 });
    await pass(QUIET + BACKOFF.first);
    expect(statuses.at(-1)?.position).toBe(1);
    expect(sockets).toHaveLength(2);
    expect(sockets[0]!.closed).toBe(true);
  });

  test("is replaced when silent and HTTP does not answer either", async () => {
    const { newest, sockets, pass } = start();
    newest().says(at(3));
    await pass(QUIET + BACKOFF.first);
    expect(sockets).toHaveLength(2);
  });
});

describe("close codes", () => {
  test.each([1001, 1006, 4000, 4001, 4499])("%i comes back without polling first", async (code) => {
    const { newest, sockets, poll, pass } = start();
    newest().says(at(3));
    newest().hangsUp(code);
    await pass(BACKOFF.first);
    expect(sockets).toHaveLength(2);
    expect(poll).not.toHaveBeenCalled();
  });

  test.each([4500, 4501, 4999])("%i stops for good", async (code) => {
    const { newest, sockets, poll, pass, links } = start();
    newest().says(at(3));
    newest().hangsUp(code);
    await pass(600_000);
    expect(sockets).toHaveLength(1);
    expect(poll).not.toHaveBeenCalled();
    expect(links.at(-1)).toBe("over");
  });

  test("overload polls at once and leaves sockets alone for a while", async () => {
    const { newest, sockets, poll, pass, links } = start();
    poll.mockResolvedValue({ status: at(9), again: 5 });
    newest().hangsUp(CloseOverload);
    await pass(OVERLOAD_REST - 1);
    expect(links).toEqual(["polling"]);
    expect(sockets).toHaveLength(1);
    await pass(1);
    expect(sockets).toHaveLength(2);
  });
});

describe("reconnecting", () => {
  test("waits are spread by chance, from half to one and a half times", async () => {
    for (const [random, wait] of [[0, 0.5], [0.99, 1.49]] as const) {
      const { newest, sockets, pass } = start(random);
      newest().hangsUp(1006);
      await pass(BACKOFF.first * wait - 1);
      expect(sockets).toHaveLength(1);
      await pass(2);
      expect(sockets).toHaveLength(2);
    }
  });

  test("waits double up to a bound, and start small again after a frame", async () => {
    const { newest, sockets, pass } = start();
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      const opened = sockets.length;
      newest().hangsUp(1006);
      let waited = 0;
      for (; sockets.length === opened; waited += 500) await pass(500);
      waits.push(waited);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    newest().says(at(3));
    newest().hangsUp(1006);
    const opened = sockets.length;
    await pass(BACKOFF.first);
    expect(sockets).toHaveLength(opened + 1);
  });

  test("a socket that opens but says nothing is given up", async () => {
    const { sockets, pass } = start();
    await pass(OPEN_PATIENCE + BACKOFF.first);
    expect(sockets).toHaveLength(2);
    expect(sockets[0]!.closed).toBe(true);
  });

  test("wake tries at once instead of waiting", async () => {
    const { connection, newest, sockets, pass } = start();
    for (let i = 0; i < 6; i++) {
      newest().hangsUp(1006);
      await pass(BACKOFF.most);
    }
    newest().hangsUp(1006);
    const opened = sockets.length;
    connection.wake();
    expect(sockets).toHaveLength(opened + 1);
  });
});

describe("polling, when sockets fail", () => {
  async function blocked(again: number | undefined) {
    const t = start(0);
    t.poll.mockResolvedValue({ status: at(9), again });
    t.newest().hangsUp(1006);
    await t.pass(BACKOFF.first);
    t.newest().hangsUp(1006);
    await t.pass(0);
    expect(t.poll).toHaveBeenCalledTimes(1);
    expect(t.links).toEqual(["polling"]);
    return t;
  }

  test("comes when the server said, never earlier", async () => {
    const { poll, pass } = await blocked(7);
    await pass(6_999);
    expect(poll).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  test.each([[0, POLL.least], [9_999, POLL.most], [undefined, POLL.usual]])("advice of %s seconds is bounded", async (again, wait) => {
    const { poll, pass } = await blocked(again);
    await pass(wait - 1);
    expect(poll).toHaveBeenCalledTimes(1);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(2);
  });

  test("stops once a socket works", async () => {
    const { newest, sockets, poll, pass, links } = await blocked(5);
    while (sockets.length < 3) await pass(500);
    const polls = poll.mock.calls.length;
    newest().says(at(8));
    await pass(20_000);
    expect(poll).toHaveBeenCalledTimes(polls);
    expect(links).toEqual(["polling", "live"]);
  });

  test("a lost connection is said, and found again", async () => {
    const { poll, pass, links } = await blocked(5);
    poll.mockRejectedValue(new Disconnected("down"));
    await pass(5_000);
    expect(links.at(-1)).toBe("lost");
    poll.mockResolvedValue({ status: at(4), again: 5 });
    await pass(BACKOFF.most);
    expect(links.at(-1)).toBe("polling");
  });

  test("429 waits for Retry-After", async () => {
    const { poll, pass, links } = await blocked(5);
    poll.mockRejectedValue(new Refusal(429, "rate-limited", "", 20));
    await pass(5_000);
    expect(poll).toHaveBeenCalledTimes(2);
    expect(links.at(-1)).toBe("polling");
    await pass(19_999);
    expect(poll).toHaveBeenCalledTimes(2);
    await pass(1);
    expect(poll).toHaveBeenCalledTimes(3);
  });

  test.each([[401, "place-ticket-invalid"], [404, "sale-unknown"], [410, "place-gone"]])("%i is final", async (status, code) => {
    const { poll, pass, refused, links } = await blocked(5);
    poll.mockRejectedValue(new Refusal(status, code, "", undefined));
    await pass(600_000);
    expect(refused.map((r) => r.code)).toEqual([code]);
    expect(links.at(-1)).toBe("over");
    expect(poll).toHaveBeenCalledTimes(2);
  });
});

test.each(["done", "left", "expired"] as const)("the state %s ends the connection", async (state) => {
  const { newest, sockets, statuses, pass, links } = start();
  newest().says({ ...at(0), state });
  await pass(600_000);
  expect(statuses).toHaveLength(1);
  expect(links).toEqual(["live", "over"]);
  expect(sockets).toHaveLength(1);
});

test("close leaves no timer behind", () => {
  const { connection, newest } = start();
  newest().says(at(3));
  connection.close();
  expect(vi.getTimerCount()).toBe(0);
});
