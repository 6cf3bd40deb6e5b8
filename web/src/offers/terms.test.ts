import { expect, test } from "vitest";
import { slug, termsOf, type Typed } from "./terms";

const good: Typed = { title: " A fifth off ", event: "", kind: "percent", worth: "20", currency: "EUR", stock: "500", person: "1", shareable: true, from: "2027-01-01T08:00", until: "2027-01-08T00:00", expires: "2027-02-01T00:00" };

test("what is typed becomes the terms of a coupon", () => {
  expect(termsOf(good, "till")).toEqual({
    product: "till",
    title: "A fifth off",
    percent: 20,
    currency: "EUR",
    shareable: true,
    stock: 500,
    per_person: 1,
    publish_from: new Date("2027-01-01T08:00").toISOString(),
    publish_until: new Date("2027-01-08T00:00").toISOString(),
    expires_at: new Date("2027-02-01T00:00").toISOString(),
  });
  expect(termsOf({ ...good, kind: "amount", worth: "4,50" }, "till")).toMatchObject({ amount: 450 });
  expect(termsOf({ ...good, kind: "amount", worth: "400", currency: "JPY" }, "till")).toMatchObject({ amount: 400 });
});

test("the first field that is wrong is named", () => {
  const wrong = (change: Partial<Typed>) => termsOf({ ...good, ...change }, "till");
  expect([wrong({ title: " " }), wrong({ currency: "EU" }), wrong({ stock: "0" }), wrong({ stock: "100001" }), wrong({ person: "1e2" }), wrong({ from: "" })]).toEqual(["title", "currency", "stock", "stock", "person", "from"]);
  for (const worth of ["0", "101", "-1", "2.5", "", "x"]) expect(wrong({ worth })).toBe("worth");
  for (const worth of ["0", "4.555", "-1", "", "1e9"]) expect(wrong({ kind: "amount", worth })).toBe("worth");
  expect(wrong({ until: "2027-01-01T08:00" })).toBe("until");
  expect(wrong({ expires: "2027-01-07T23:59" })).toBe("expires");
});

test("a shop's name makes a slug", () => {
  expect(["The Opera", "  Café Größe & Co. ", "---", "日本", "a".repeat(80)].map(slug)).toEqual(["the-opera", "cafe-gro-e-co", "", "", "a".repeat(60)]);
});
