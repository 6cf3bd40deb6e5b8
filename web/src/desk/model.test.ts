import { expect, test } from "vitest";
import { draftOf, lookOf } from "./model";

test("what is kept comes out of the form as it went in", () => {
  const look = {
    title: "Opera", message: "Welcome", help: { text: "Help", url: "https://example.org" },
    colors: { light: { accent: "#0a5c8a" }, dark: { ground: "#000000" } }, domains: ["a.example", "b.example"],
  };
  expect(lookOf(draftOf(look))).toEqual(look);
});

test("what is left empty is left out", () => {
  expect(lookOf({ ...draftOf({}), title: "  ", domains: " \n" })).toEqual({ colors: { light: {}, dark: {} } });
});
