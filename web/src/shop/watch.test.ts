import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CloseOverload, type SeatsFrame } from "../api/documents";
import type { Socket } from "../line/connection";
import { BACKOFF, OVERLOAD_REST, QUIET, Watch } from "./watch";

/** A socket whose far end is the test. */
class Far implements Socket {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;
  constructor(readonly query: string) {}
  close() {
    this.closed = true;
  }
  says(frame: Partial<SeatsFrame>) {
    this.onmessage?.({ data: JSON.stringify({ as_of: "", ...frame }) } as MessageEvent);
  }
  hangsUp(code: number) {
    this.onclose?.({ code } as CloseEvent);
  }
}

function start() {
  const sockets: Far[] = [];
  const heard: string[] = [];
  const live: boolean[] = [];
  const watch = new Watch({
    open: (query) => {
      sockets.push(new Far(query));
      return sockets.at(-1)!;
    },
    onFrame: (frame, runs, all) => heard.push(`${frame.seq}${all ? " all" : ""} ${runs.length}`),
    onLive: (now) => live.push(now),
    random: () => 0.5,
  });
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  return { watch, sockets, heard, live, pass, newest: () => sockets.at(-1)! };
}

const all: Partial<SeatsFrame> = { feed: "F", seq: 7, runs: "CBk=" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("frames in their order are heard, also those of nothing new", () => {
  const { newest, heard, live } = start();
  expect(newest().query).toBe("");
  newest().says(all);
  newest().says({ seq: 8, runs: "FAg=" });
  newest().says({ seq: 8 });
  newest().says({ seq: 9, runs: "CA==" });
  expect(heard).toEqual(["7 all 2", "8 2", "8 0", "9 1"]);
  expect(live).toEqual([true]);
});

test("after a loss it goes on where it was", async () => {
  const { newest, sockets, live, pass } = start();
  newest().says(all);
  newest().hangsUp(4000);
  expect(live).toEqual([true, false]);
  await pass(BACKOFF.first);
  expect(newest().query).toBe("?feed=F&seq=7");
  newest().says({ seq: 8, runs: "FAg=" });
  expect(sockets).toHaveLength(2);
});

test.each<[string, Partial<SeatsFrame> | undefined]>([
  ["a frame is missing", { seq: 9, runs: "FAg=" }],
  ["a number comes twice", { seq: 7, runs: "FAg=" }],
  ["nothing new of something unheard", { seq: 8 }],
  ["runs cannot be read", { seq: 8, runs: "gA==" }],
  ["the units are known from elsewhere", undefined],
])("if %s it begins anew", async (_, frame) => {
  const { watch, newest, heard, pass } = start();
  newest().says(all);
  const first = newest();
  if (frame) first.says(frame);
  else {
    watch.distrust();
    first.says({ seq: 8, runs: "FAg=" });
  }
  expect(heard).toEqual(["7 all 2"]);
  expect(first.closed).toBe(true);
  await pass(BACKOFF.first);
  expect(newest().query).toBe("");
});

test("silence is a loss, and losses in a row are waited for longer", async () => {
  const { sockets, newest, pass } = start();
  newest().says(all);
  await pass(QUIET);
  expect(sockets[0]!.closed).toBe(true);
  await pass(BACKOFF.first);
  expect(sockets).toHaveLength(2);
  newest().hangsUp(1006);
  await pass(BACKOFF.first);
  expect(sockets).toHaveLength(2);
  await pass(BACKOFF.first);
  expect(sockets).toHaveLength(3);
});

test("told that there are too many it rests, and told to stop it stops", async () => {
  const { sockets, newest, pass } = start();
  newest().hangsUp(CloseOverload);
  await pass(OVERLOAD_REST - 1);
  expect(sockets).toHaveLength(1);
  await pass(1);
  expect(sockets).toHaveLength(2);
  newest().hangsUp(4501);
  await pass(OVERLOAD_REST * 2);
  expect(sockets).toHaveLength(2);
});

test("a page that is looked at again believes no socket that slept", async () => {
  const { watch, sockets, newest, pass } = start();
  newest().says(all);
  watch.wake();
  expect(sockets).toHaveLength(1);
  await pass(QUIET / 2);
  watch.wake();
  expect(sockets.map((s) => s.closed)).toEqual([true, false]);
  watch.close();
  watch.wake();
  await pass(OVERLOAD_REST);
  expect(sockets).toHaveLength(2);
});
