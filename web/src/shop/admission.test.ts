import { afterEach, beforeEach, expect, test, vi } from "vitest";
import golden from "../../../edge/wire/testdata/admission.json";
import type { Admission } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { AdmissionKeeper, AGAIN, type Closed } from "./admission";

const life = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start() {
  const closed: Closed[] = [];
  const renew = vi.fn<() => Promise<Admission>>();
  renew.mockImplementation(async () => ({ ...golden, expires_at: new Date(Date.now() + life).toISOString() }));
  const onAdmitted = vi.fn();
  const keeper = () => new AdmissionKeeper({ renew, onAdmitted, onClosed: (why) => closed.push(why), now: Date.now });
  return { renew, closed, onAdmitted, keeper, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

test("renews at half of the token's life", async () => {
  const { renew, keeper, pass } = start();
  keeper();
  await pass(life / 2 - 1);
  expect(renew).toHaveBeenCalledTimes(1);
  await pass(1);
  expect(renew).toHaveBeenCalledTimes(2);
});

test("renews at once when asked, and the clock starts anew", async () => {
  const { renew, keeper, pass } = start();
  const k = keeper();
  await pass(20_000);
  await k.renew();
  await pass(life / 2 - 1);
  expect(renew).toHaveBeenCalledTimes(2);
});

test("a beat renews only what is due: timers may be late, the token is not", async () => {
  const { renew, keeper, pass } = start();
  const k = keeper();
  await pass(0);
  k.beat();
  expect(renew).toHaveBeenCalledTimes(1);
  vi.setSystemTime(Date.now() + life / 2); // the clock went on, the timer did not
  k.beat();
  expect(renew).toHaveBeenCalledTimes(2);
});

test("a lost answer is repeated and closes nothing", async () => {
  const { renew, closed, keeper, pass } = start();
  keeper();
  await pass(0);
  renew.mockRejectedValueOnce(new Disconnected("down")).mockRejectedValueOnce(new Refusal(503, "store-away", "", 3));
  await pass(life / 2 + AGAIN + 3_000);
  expect(renew).toHaveBeenCalledTimes(4);
  expect(closed).toEqual([]);
});

test.each<[string, number, boolean, Closed]>([
  ["session-over", 410, true, "over"],
  ["session-over", 410, false, "over"],
  ["place-ticket-missing", 401, false, "never"],
  ["place-gone", 410, true, "over"],
  ["sale-unknown", 404, false, "missing"],
])("%s (%i) closes the shop for good", async (code, status, admitted, why) => {
  const { renew, closed, keeper, pass } = start();
  if (admitted) {
    keeper();
    await pass(0);
  }
  renew.mockRejectedValue(new Refusal(status, code, "", undefined));
  if (!admitted) keeper();
  await pass(life * 2);
  expect(closed).toEqual([why]);
  expect(vi.getTimerCount()).toBe(0);
});
