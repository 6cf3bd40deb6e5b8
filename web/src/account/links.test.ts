import { expect, test } from "vitest";
import { parts } from "./links";

test("addresses in a text are links, and nothing else is", () => {
  expect(parts("See https://a.example/orders/1#k.\n<b>http://b.example</b> javascript:alert(1)")).toEqual([
    { text: "See " },
    { text: "https://a.example/orders/1#k", address: "https://a.example/orders/1#k" },
    { text: ".\n<b>" },
    { text: "http://b.example", address: "http://b.example" },
    { text: "</b> javascript:alert(1)" },
  ]);
  expect(parts("nothing")).toEqual([{ text: "nothing" }]);
  expect(parts("")).toEqual([]);
});
