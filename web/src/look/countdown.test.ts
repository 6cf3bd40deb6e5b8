import { expect, test } from "vitest";
import { LineClock } from "../line/clock";
import { clock as span } from "../messages/format";
import { sure } from "./Countdown";

// "Held for 10:01" stood on a hold of ten minutes: the page's clock is late by as long
// as the newest answer took, and the part of a second was counted as a whole one.
test("nobody is told that they have more time than they have", () => {
  for (const late of [0, 1, 40, 999]) {
    const clock = new LineClock(() => 5_000);
    clock.hear(new Date(1_000_000 - late).toISOString());
    expect(span(sure(clock.until(new Date(1_600_000).toISOString())))).toBe("10:00");
  }
  expect([999, 0, -1, -700].map((ms) => span(sure(ms)))).toEqual(["0:00", "0:00", "0:00", "0:00"]);
  expect(sure(61_999)).toBe(61_000);
});
