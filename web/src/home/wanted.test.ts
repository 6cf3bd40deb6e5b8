import { expect, test } from "vitest";
import { changed, major, minor, pageOf, wantedOf } from "./wanted";

test("what is looked for comes back from the address, and nothing else", () => {
  const wanted = { q: "acdc & <b>", category: "music", available: "true" };
  expect(wantedOf(pageOf(wanted).slice("/search".length))).toEqual(wanted);
  expect(wantedOf("?q=&evil=1&cursor=x")).toEqual({});
  expect(pageOf({})).toBe("/search");
});

test("a place is a city or a circle, and what belonged to what went goes too", () => {
  const near = changed({ city: "Lisboa" }, { near: "38.72,-9.14", radius: "50" });
  expect(near).toEqual({ near: "38.72,-9.14", radius: "50" });
  expect(changed(near, { city: "Berlin" })).toEqual({ city: "Berlin" });
  expect(changed(near, { near: "" })).toEqual({});
  expect(changed(near, { country: "PT" })).toEqual({ country: "PT" });
  expect(changed({ country: "PT", city: "Porto" }, near)).toEqual(near);
  expect(changed({ country: "PT" }, { city: "Porto" })).toEqual({ country: "PT", city: "Porto" });
  expect(changed({ price_from: "1000", price_to: "4500", currency: "EUR" }, { price_to: "" })).toEqual({ price_from: "1000", currency: "EUR" });
  expect(changed({ price_to: "4500", currency: "EUR" }, { price_to: "" })).toEqual({});
  expect(changed({ q: "a", order: "relevant" }, { q: "" })).toEqual({});
});

test("prices are typed in whole units of a currency", () => {
  expect([minor("45", "EUR"), minor("45,5", "EUR"), minor("4500", "JPY"), minor("12.345", "KWD")]).toEqual(["4500", "4550", "4500", "12345"]);
  expect(["", "x", "-1", "1e9", "99999999"].map((text) => minor(text, "EUR"))).toEqual(["", "", "", "", ""]);
  expect([major("4550", "EUR"), major("4500", "JPY"), major(undefined, "EUR"), major("x", "EUR")]).toEqual(["45.5", "4500", "", ""]);
});
