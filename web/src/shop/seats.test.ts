import { expect, test } from "vitest";
import type { Performance } from "../api/documents";
import { boxOf, decode, pitch, seatsOf, sectionsOf, Units } from "./seats";
import change from "../../../edge/wire/testdata/seats-change.json";
import whole from "../../../edge/wire/testdata/seats.json";

const hall: Performance = {
  id: "p",
  sale: "demo",
  title: "",
  venue: "",
  starts_at: "2026-12-01T18:00:00Z",
  tariff: {},
  tiers: [
    { id: "a", name: "Stalls", kind: "seated", price: { amount: 4500, currency: "EUR" }, first: 0, count: 5 },
    { id: "g", name: "Floor", kind: "general", price: { amount: 2000, currency: "EUR" }, first: 5, count: 9 },
  ],
  rows: [
    { section: "Stalls Left", row: "A", tier: "a", first: 0, count: 3, x: 0, y: 0, dx: 1, dy: 0 },
    { section: "Stalls Right", row: "A", tier: "a", first: 3, count: 2, x: 5, y: 0, dx: 0.6, dy: -0.8 },
  ],
};

const byte = (b: number) => btoa(String.fromCharCode(b));

test("sold and closed win over held, mine over both, and a pick counts only while free", () => {
  const units = new Units(7);
  units.set({ taken: byte(0b0111_0110), sold: byte(0b0010_0000), closed: byte(0b0000_0110) });
  const state = (unit: number) => units.state(unit, new Set([0, 1]), new Set([3, 6]));
  expect([0, 1, 2, 3, 4, 5, 6].map(state)).toEqual(["picked", "held", "sold", "mine", "free", "closed", "mine"]);
  expect(units.left({ ...hall.tiers[0]!, first: 0, count: 5 })).toEqual({ id: "a", free: 2, held: 2, sold: 1, closed: 0 });
});

test("frames say what all units are, and then what has changed", () => {
  const units = new Units(220);
  const none = new Set<number>();
  const show = (...of: number[]) => of.map((unit) => units.state(unit, none, none)[0]).join("");
  units.set({ taken: byte(0xff), sold: byte(0xff) });
  units.change(decode(whole.runs), true);
  expect(show(0, 1, 2, 3, 4, 7, 8, 207, 208, 209, 210)).toBe("fhhhssffccf");
  units.change(decode(change.runs), false);
  expect(show(0, 1, 2, 3, 4, 205, 206, 207, 208)).toBe("fhfhsfhhc");
  expect(() => decode(byte(0x80))).toThrow();
  expect(() => decode(byte(0x0d))).toThrow();
});

test("seats lie along their row", () => {
  const seats = seatsOf(hall);
  expect(seats.map((seat) => seat.unit)).toEqual([0, 1, 2, 3, 4]);
  expect(seats[2]).toMatchObject({ name: "3", marks: [], x: 2, y: 0 });
  expect(seats[4]).toMatchObject({ name: "2", x: 5.6, y: -0.8 });
  expect(pitch(hall.rows)).toBe(1);
  const box = boxOf(seats, 1);
  expect([box.left, box.top]).toEqual([-1, -1.8]);
  expect(box.width).toBeCloseTo(7.6);
  expect(box.height).toBeCloseTo(2.8);
});

test("sections keep their rows and tier", () => {
  const sections = sectionsOf(hall, seatsOf(hall));
  expect(sections.map((s) => [s.name, s.tier?.name, s.rows.length])).toEqual([["Stalls Left", "Stalls", 1], ["Stalls Right", "Stalls", 1]]);
});

test("a row that an aisle or a price parts is one row, and a seat has what its house says of it", () => {
  const row = { section: "Stalls", row: "B", y: 2, dx: 1, dy: 0 };
  const parted: Performance = {
    ...hall,
    rows: [
      { ...row, tier: "a", first: 0, count: 1, x: 0, accessible: [0] },
      { ...row, tier: "a", first: 1, count: 2, x: 4, seats: ["9", "10"], places: [4, 2, 5, 2.5] },
      { ...row, tier: "g", first: 3, count: 2, x: 1, seats: ["2", "3"], companion: [0], restricted: [0, 1] },
    ],
  };
  const seats = seatsOf(parted);
  expect(seats.map((seat) => [seat.name, seat.x, seat.y])).toEqual([["1", 0, 2], ["9", 4, 2], ["10", 5, 2.5], ["2", 1, 2], ["3", 2, 2]]);
  expect(seats.map((seat) => seat.marks)).toEqual([["accessible"], [], [], ["companion", "restricted"], ["restricted"]]);
  const [section] = sectionsOf(parted, seats);
  expect(section!.rows.map((r) => [r.name, r.seats.map((seat) => seat.name)])).toEqual([["B", ["1", "2", "3", "9", "10"]]]);
});

test("a hall without seats has a box all the same", () => {
  expect(boxOf([], 1)).toEqual({ left: 0, top: 0, width: 1, height: 1 });
  expect(pitch([])).toBe(1);
});
