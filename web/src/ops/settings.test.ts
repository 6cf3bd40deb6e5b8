import { expect, test } from "vitest";
import type { Live } from "../api/documents";
import { changes, difference, when, written } from "./settings";

test("settings are written in words, and not as JSON", () => {
  expect(written({ mode: "drain" })).toBe("mode Drain");
  expect(written({ cap: 1200, shares: { members: 40, press: 5 } })).toBe("cap 1,200, shares members 40 press 5");
  expect(written({ auto: { on: false, target_ms: 300, slow: 0.05, errors: 0.02 } })).toBe("automatic mode off");
});

test("a change names what was and what is", () => {
  const auto = { on: true, target_ms: 400, slow: 0.025, errors: 0.02, in_flight: 0 };
  expect(changes({ auto: null, min_rate: 0 }, { auto, min_rate: 60 })).toBe("automatic mode off → on (slow from 400 ms, slow 2.5 %, errors 2 %), least rate 0 → 60");
  expect(changes({}, { cap: 5 })).toBe("cap – → 5");
});

test("whoever comes second is told what the other one changed, and of nothing else", () => {
  const was = { cap: 500, rate: 600, mode: "run", waiting: 3, version: 7 } as Live;
  expect(difference(was, { ...was, cap: 501, waiting: 9, version: 8 })).toBe("cap 500 → 501");
  expect(difference(was, { ...was, mode: "pause" })).toBe("mode Run → Pause");
  expect(difference(was, { ...was, waiting: 9 })).toBe("");
});

test("another day has its date", () => {
  const now = new Date(2026, 10, 26, 12);
  expect(when(new Date(2026, 10, 26, 20).toISOString(), now)).not.toMatch(/26/);
  expect(when(new Date(2026, 10, 27, 20).toISOString(), now)).toMatch(/27/);
  expect(when(new Date(2027, 0, 2, 20).toISOString(), now)).toMatch(/2027/);
});
