import { expect, test } from "vitest";
import { backOf, letterOf, workOf } from "./letter";

test("letters lead where they say", () => {
  expect(letterOf("#invited=x")).toEqual({ purpose: "invited", token: "x" });
  expect(letterOf("#confirm=Ab_-9")).toEqual({ purpose: "confirm", token: "Ab_-9" });
  expect(letterOf("#second")).toEqual({ purpose: "second", token: "" });
  expect(letterOf("#failed=sign-in-refused")).toEqual({ purpose: "failed", token: "sign-in-refused" });
  expect(letterOf("#forgot")).toEqual({ purpose: "forgot", token: "" });
  for (const other of ["", "#", "#erase=x", "#confirm=<b>", "#key=confirm=x"]) expect(letterOf(other)).toBeUndefined();
});

test("who takes an invitation is led to a page that the roles open", () => {
  expect([["organizer", "venue"], ["sre"], ["boxoffice", "venue"], ["boxoffice"], ["door"], ["admin"], []].map(workOf)).toEqual(["/desk/sales", "/desk/sales", "/desk/venues", "/counter", "/door", "/desk/team", ""]);
});

test("nobody is sent from the sign-in to another site", () => {
  const here = { origin: "https://tickets.example" };
  const back = (to: string) => backOf(`?back=${encodeURIComponent(to)}`, here);
  expect(back("/sales/demo/shop?a=1")).toBe("/sales/demo/shop?a=1");
  for (const away of ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example/", "javascript:alert(1)", "evil", ""]) expect(back(away)).toBe("");
});
