import { expect, test } from "vitest";
import { setup as words } from "../messages/en";
import { blank, codeFaults, type Draft, draftOf, faultsOf, minor, programOf, says, slugOf, type Venue, venueOf, without, worth } from "./draft";

const seats = (n: number) => Array.from({ length: n }, () => ({}));
const house = venueOf("v1", "Europe/Lisbon", {
  name: "Coliseu",
  categories: ["Stalls", "Box", "Floor"],
  sections: [{ name: "Left", category: "Stalls", rows: [{ seats: [...seats(8), { category: "Box" }] }, { category: "Box", seats: seats(2) }] }],
  areas: [{ name: "Pit", category: "Floor", places: 100 }],
});
const venues: ReadonlyMap<string, Venue> = new Map([["v1", house]]);
const known = { venues, now: new Date("2027-01-01T00:00:00Z") };
const good: Draft = {
  ...blank("The Lanterns, live!"),
  nights: [{ venue: "v1", starts: "2027-07-01T21:00", doors: "2027-07-01T20:00", ends: "" }],
  prices: { v1: { Stalls: "75", Box: "110.50", Floor: "45,5" } },
  batches: [{ night: "", part: "Pit", places: "30", at: "2027-06-01T10:00" }],
  lobbyCloses: "2027-05-01T09:50",
  opens: "2027-05-01T10:00",
  ends: "2027-07-01T20:00",
  refundDays: "7",
  refundKeep: "10",
  transferDays: "2",
  transferTimes: "3",
  names: "on",
  nameDays: "1",
  tax: "6",
};

test("a venue is counted by categories and by parts", () => {
  expect(house.categories).toEqual([{ name: "Stalls", places: 8 }, { name: "Box", places: 3 }, { name: "Floor", places: 100 }]);
  expect(house.parts.map(({ name, places }) => [name, places])).toEqual([["Left", 11], ["Pit", 100]]);
  expect(worth(good, venues)).toEqual({ places: 111, amount: 8 * 7500 + 3 * 11_050 + 100 * 4550 });
});

test("a draft without faults makes the program that it says", () => {
  for (const step of ["dates", "prices", "sale"] as const) expect(faultsOf(step, good, known)).toEqual({});
  expect(programOf(good, "e1", venues)).toMatchObject({
    event_id: "e1",
    currency: "EUR",
    tariff: { tax_rate: 600, refund: { before: 7 * 86_400, keep_rate: 1000 }, exchange: {}, transfer: { before: 2 * 86_400, times: 3 }, names: { on: true, before: 86_400 } },
    performances: [
      {
        venue: "v1",
        local: { starts_at: "2027-07-01T21:00", doors_at: "2027-07-01T20:00" },
        prices: { Stalls: 7500, Box: 11_050, Floor: 4550 },
        reserves: [{ kind: "batch", area: "Pit", places: 30, release_at: "2027-06-01T09:00:00.000Z" }],
      },
    ],
    sale: { id: "the-lanterns-live", lobby_closes_at: "2027-05-01T08:50:00.000Z", opens_at: "2027-05-01T09:00:00.000Z", hold: 600, units_per_hold: 6 },
  });
});

test.each<["dates" | "prices" | "sale", Partial<Draft>, string, string]>([
  ["dates", { nights: [] }, "nights", words.wrong.noNight],
  ["dates", { nights: [{ venue: "", starts: "", doors: "", ends: "" }] }, "venue-0", words.wrong.venue],
  ["dates", { nights: [{ ...good.nights[0]!, starts: "2027-03-28T01:30" }] }, "starts-0", words.wrong.skipped("Europe/Lisbon")],
  ["dates", { nights: [{ ...good.nights[0]!, doors: "2027-07-01T21:30" }] }, "doors-0", words.wrong.doors],
  ["dates", { nights: [{ ...good.nights[0]!, ends: "2027-07-01T21:00" }] }, "ends-0", words.wrong.ends],
  ["prices", { currency: "EU" }, "currency", words.wrong.currency],
  ["prices", { prices: { v1: { Stalls: "-1", Box: "1", Floor: "1" } } }, "price-0-0", words.wrong.price],
  ["prices", { batches: [{ night: "", part: "Pit", places: "101", at: "2027-06-01T10:00" }] }, "places-0", words.wrong.between(1, 100)],
  ["prices", { batches: [{ night: "", part: "Attic", places: "1", at: "2027-06-01T10:00" }] }, "part-0", words.wrong.part],
  ["sale", { id: "The Lanterns" }, "id", words.wrong.id],
  ["sale", { lobbyCloses: good.opens }, "lobbyCloses", words.wrong.lobby],
  ["sale", { ends: good.opens }, "ends", words.wrong.saleEnds],
  ["sale", { lobbyCloses: "2026-05-01T09:50", opens: "2026-05-01T10:00", ends: "2026-07-01T20:00" }, "ends", words.wrong.over],
  ["sale", { cap: "1e9" }, "cap", words.wrong.between(1, 10_000_000)],
  ["sale", { notice: "0" }, "notice", words.wrong.between(1, 120)],
  ["sale", { notice: "" }, "notice", words.wrong.between(1, 120)],
  ["sale", { notice: "121" }, "notice", words.wrong.between(1, 120)],
  ["sale", { perPerson: "3" }, "perPerson", words.wrong.perPerson],
  ["sale", { party: "4", visitor: "account" }, "party", words.wrong.party],
  ["sale", { refundKeep: "101" }, "refundKeep", words.wrong.between(0, 100)],
  ["sale", { transferDays: "0" }, "transferDays", words.wrong.between(1, 365)],
  ["sale", { transferTimes: "101" }, "transferTimes", words.wrong.between(1, 100)],
  ["sale", { nameDays: "366" }, "nameDays", words.wrong.between(1, 365)],
  ["sale", { laneTitle: "Main" }, "laneTitle", words.wrong.lane],
  ["sale", { laneTitle: "Members", laneShare: "100" }, "laneShare", words.wrong.between(1, 99)],
])("at %s, %j is said at %s", (step, change, field, says) => {
  expect(faultsOf(step, { ...good, ...change }, known)[field]).toBe(says);
});

test("what nobody is asked any more is not wrong, and not in the rules", () => {
  const kept: Draft = { ...good, refundDays: "", refundKeep: "101", transferDays: "", transferTimes: "0", names: "", nameDays: "0" };
  expect(faultsOf("sale", kept, known)).toEqual({});
  expect(programOf(kept, "e1", venues).tariff).toEqual({ tax_rate: 600, refund: {}, exchange: {} });
});

test("tickets change hands as often as one likes, and a name stays, where nothing else is said", () => {
  expect(programOf({ ...good, transferTimes: "", nameDays: "" }, "e1", venues).tariff).toMatchObject({ transfer: { before: 2 * 86_400 }, names: { on: true } });
  const { transfer, names } = programOf({ ...good, transferTimes: "", nameDays: "" }, "e1", venues).tariff;
  expect([Object.keys(transfer!), Object.keys(names!)]).toEqual([["before"], ["on"]]);
});

test("amounts are minor units of their currency", () => {
  expect(["45", "45.5", "45,50", "0"].map((text) => minor(text, "EUR"))).toEqual([4500, 4550, 4550, 0]);
  expect(minor("4500", "JPY")).toBe(4500);
  for (const [text, currency] of [["", "EUR"], ["-1", "EUR"], ["1.234", "EUR"], ["1e3", "EUR"], ["4.5", "JPY"], ["1,000.00", "EUR"]] as const) expect(minor(text, currency)).toBeUndefined();
});

test("an address is made of a title", () => {
  expect(slugOf("  Ópera & Teatro — 2027! ")).toBe("opera-teatro-2027");
  expect(slugOf("東京")).toBe("");
  expect(slugOf("x".repeat(100))).toHaveLength(60);
});

test("a night that is taken away takes its releases along", () => {
  const two = { ...good, nights: [good.nights[0]!, { ...good.nights[0]!, starts: "2027-07-02T21:00" }], batches: ["", "0", "1"].map((night) => ({ ...good.batches[0]!, night })) };
  expect(without(two, 0).batches.map((batch) => batch.night)).toEqual(["", "0"]);
});

test("a date may have prices of its own", () => {
  const [night] = good.nights as [Draft["nights"][number]];
  const two: Draft = { ...good, nights: [night, { ...night, starts: "2027-07-02T21:00", doors: "", prices: { ...good.prices.v1!, Stalls: "95" } }] };
  expect(faultsOf("prices", two, known)).toEqual({});
  expect(programOf(two, "e1", venues).performances.map((show) => show.prices)).toEqual([{ Stalls: 7500, Box: 11_050, Floor: 4550 }, { Stalls: 9500, Box: 11_050, Floor: 4550 }]);
  expect(worth(two, venues).amount).toBe(2 * worth(good, venues).amount + 8 * 2000);
  const typed = { ...two, nights: [night, { ...two.nights[1]!, prices: { Stalls: "much" } }] };
  expect(faultsOf("prices", typed, known)).toEqual({ "own-1-0": words.wrong.price, "own-1-1": words.wrong.price, "own-1-2": words.wrong.price });
  const all = { ...two, prices: {}, nights: [{ ...night, prices: two.nights[1]!.prices }] };
  expect(faultsOf("prices", all, known)).toEqual({}); // nobody is asked for prices that no date has
});

test("codes have a name and are so many", () => {
  expect(codeFaults({ name: " fan-club ", count: "10000", uses: "1" })).toEqual({});
  expect(codeFaults({ name: "Fan Club", count: "10001", uses: "0" })).toEqual({ "codes-name": words.wrong.codes, "codes-count": words.wrong.between(1, 10_000), "codes-uses": words.wrong.between(1, 1_000_000) });
});

test("a draft of another page's making is filled up", () => {
  expect(draftOf(null, "Gala")).toEqual(blank("Gala"));
  expect(draftOf({ cap: "7", later: true }, "Gala")).toMatchObject({ cap: "7", rate: "600", title: "Gala" });
});

test("a sale says what a draft does, or not", () => {
  const { performances, ...rest } = programOf(good, "e1", venues);
  const made = { ...rest, performances: performances.map(({ venue, prices }) => ({ venue, prices, starts_at: "2027-07-01T20:00:00Z", doors_at: "2027-07-01T19:00:00Z", ends_at: "0001-01-01T00:00:00Z" })) };
  made.performances[0]!.ends_at = "";
  expect(says(made, good, venues)).toBe(true);
  const changes: Partial<Draft>[] = [
    { title: "Other" },
    { opens: "2027-05-01T10:01" },
    { perPerson: "8" },
    { notice: "30" },
    { laneTitle: "Members" },
    { visitor: "" },
    { prices: { v1: { ...good.prices.v1!, Box: "1" } } },
    { nights: [{ ...good.nights[0]!, doors: "" }] },
    { nights: [{ ...good.nights[0]!, prices: { ...good.prices.v1!, Box: "1" } }] },
    { nights: [{ ...good.nights[0]!, ends: "2027-07-01T23:00" }] },
  ];
  for (const change of changes) expect([change, says(made, { ...good, ...change }, venues)]).toEqual([change, false]);
});
