import { expect, test, vi } from "vitest";
import { Disconnected, Refusal } from "../api/http";
import { common } from "./en";
import { problemOf, Unclear } from "./problem";

const ours = (refusal: Refusal) => (refusal.code === "sold-out" ? "All gone." : undefined);
const said = (cause: unknown) => problemOf(cause, ours);

test("what went wrong is said in our words, else in the server's, and never in a machine's", () => {
  expect(said(new Refusal(409, "sold-out", "not these words", undefined))).toBe("All gone.");
  expect(said(new Refusal(409, "something-new", "The server's words.", undefined))).toBe("The server's words.");
  expect(said(new Refusal(502, "", "", undefined))).toBe(common.trouble);
  expect(said(new Refusal(429, "rate-limited", "too many", 1))).toBe(common.tooOften);
  expect(said(new Disconnected("no answer"))).toBe(common.offline);
  expect(problemOf(new Disconnected("no answer"), ours, "Lost.")).toBe("Lost.");
  expect(said(new Unclear("Perhaps."))).toBe("Perhaps.");

  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(said(new TypeError("x is undefined"))).toBe(common.trouble);
  expect(log).toHaveBeenCalledOnce();
});
