import { describe, expect, it } from "vitest";
import type { Live } from "../api/documents";
import { preview, reach } from "./preview";

const live = { active: 80, offered: 20, waiting: 300, cap: 100, rate: 600 } as Live;

describe("preview", () => {
  it("says how many go in, and how long that takes", () => {
    expect(preview(live, { cap: 150, rate: 600 })).toEqual({ room: 50, above: 0, filled: 5, last: 30 });
  });
  it("says who is above a lower cap, and that nobody goes in", () => {
    expect(preview(live, { cap: 60, rate: 600 })).toEqual({ room: 0, above: 40, filled: undefined, last: 30 });
  });
  it("knows no end where nobody is let in", () => {
    expect(preview(live, { cap: 150, rate: 0 })).toEqual({ room: 50, above: 0, filled: undefined, last: undefined });
    expect(preview(live, { cap: 0, rate: 600 })).toEqual({ room: 0, above: 100, filled: undefined, last: undefined });
  });
  it("counts no more than there are", () => {
    expect(preview({ ...live, waiting: 6 }, { cap: 1000, rate: 60 })).toEqual({ room: 900, above: 0, filled: 6, last: 6 });
    expect(preview({ ...live, waiting: 0 }, { cap: 1000, rate: 60 })).toEqual({ room: 900, above: 0, filled: undefined, last: 0 });
  });
});

describe("reach", () => {
  it("leaves room on both sides and ends at a round number", () => {
    expect(reach(100, 10, 1e7)).toBe(200);
    expect(reach(130, 10, 1e7)).toBe(500);
    expect(reach(0, 100, 1e7)).toBe(100);
    expect(reach(9_000_000, 10, 1e7)).toBe(1e7);
  });
});
