import { expect, test } from "vitest";
import { Disconnected, Refusal } from "../api/http";
import { came, pause } from "./badge";

test("who is not let in by an account is told why", () => {
  const refused = (status: number, code: string) => came(new Refusal(status, code, "", undefined));
  expect(refused(401, "staff-required")).toBe("out");
  expect(refused(403, "second-factor-needed")).toBe("second");
  expect(refused(403, "sre-required")).toBe("other");
  expect(refused(404, "badges-off")).toBe("off");
  expect([refused(503, "core-away"), refused(500, ""), refused(429, "rate-limited"), came(new Disconnected("no answer"))]).toEqual(["away", "away", "away", "away"]);
});

test("what lets an account in is renewed at half of its time", () => {
  expect(pause(900, undefined)).toBe(450_000);
  expect(pause(449, "in")).toBe(1000);
  expect(pause(449, "away")).toBe(10_000);
  expect([pause(449, "out"), pause(449, "second"), pause(449, "other"), pause(449, "off")]).toEqual([undefined, undefined, undefined, undefined]);
});
