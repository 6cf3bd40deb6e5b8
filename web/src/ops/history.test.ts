import { describe, expect, it } from "vitest";
import type { Sample } from "../api/documents";
import { counter, left, merged, perMinute } from "./history";

const sample = (at: number, more: Partial<Sample> = {}): Sample => ({
  at, waiting: 0, offered: 0, active: 0, cap: 0, rate: 0, offers: 0, missed: 0, claimed: 0, wait: -1, free: -1, held: -1,
  core: { p50: -1, p95: -1, in_flight: -1 }, ...more,
});

describe("history", () => {
  it("takes newer samples only, and forgets the oldest", () => {
    const first = [sample(1), sample(2)];
    expect(merged(first, [sample(2), sample(3)]).map((s) => s.at)).toEqual([1, 2, 3]);
    const many = Array.from({ length: 950 }, (_, i) => sample(i + 1));
    expect(merged([], many).map((s) => s.at)).toEqual(many.slice(50).map((s) => s.at));
    // A calm sale is not sampled every second: what is shown is a quarter of an hour all the same.
    expect(merged([sample(1000), sample(1300)], [sample(1900), sample(2100)]).map((s) => s.at)).toEqual([1300, 1900, 2100]);
  });

  it("says how fast a counter rose over the last seconds", () => {
    const samples = Array.from({ length: 30 }, (_, i) => sample(i, { offers: i < 15 ? 2 * i : 28 }));
    const rates = perMinute(samples, counter("offers"));
    expect(rates[0]).toBeNull(); // nothing to compare with
    expect(rates[5]).toBe(120);
    expect(rates[14]).toBe(120);
    expect(rates[19]).toBe(60); // five of the last ten seconds
    expect(rates[29]).toBe(0);
  });

  it("bridges seconds that were not sampled", () => {
    const rates = perMinute([sample(0), sample(15, { offers: 15 }), sample(16, { offers: 17 })], counter("offers"));
    expect(rates).toEqual([null, 60, (60 * 17) / 16]);
  });

  it("does not know a counter that fell", () => {
    expect(perMinute([sample(0, { offers: 9 }), sample(1, { offers: 3 })], counter("offers"))).toEqual([null, null]);
  });

  it("counts who left by who came in and is not there any more", () => {
    const rates = perMinute([sample(0, { claimed: 10, active: 10 }), sample(10, { claimed: 20, active: 15 })], left);
    expect(rates).toEqual([null, 30]);
  });
});
