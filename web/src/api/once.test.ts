import { expect, test } from "vitest";
import { Once } from "./once";

test("the same wish has the same key until it was answered", () => {
  const once = new Once();
  const first = once.key("two seats");
  expect(once.key("two seats")).toBe(first);
  const other = once.key("three seats");
  expect(other).not.toBe(first);
  expect(once.key("two seats")).not.toBe(first);
  const last = once.key("two seats");
  once.answered();
  expect(once.key("two seats")).not.toBe(last);
});
