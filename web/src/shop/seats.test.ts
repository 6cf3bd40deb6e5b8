import { expect, test } from "vitest";
import type { Performance } from "../api/documents";
import { Bits, boxOf, pitch, seatsOf, sectionsOf, Units } from "./seats";

const hall: Performance = {
  id: "p",
  sale: "demo",
  title: "",
  venue: "",
  starts_at: "2026-12-01T18:00:00Z",
  tiers: [
    { id: "a", name: "Stalls", kind: "seated", price: { amount: 4500, currency: "EUR" }, first: 0, count: 5 },
    { id: "g", name: "Floor", kind: "general", price: { amount: 2000, currency: "EUR" }, first: 5, count: 9 },
  ],
  rows: [
    { section: "Stalls Left", row: "A", tier: "a", first: 0, count: 3, x: 0, y: 0, dx: 1, dy: 0 },
    { section: "Stalls Right", row: "A", tier: "a", first: 3, count: 2, x: 5, y: 0, dx: 0.6, dy: -0.8 },
  ],
};

test("bits are read most significant first", () => {
  const bits = new Bits(btoa(String.fromCharCode(0b1000_0001, 0b0100_0000)));
  expect([0, 1, 6, 7, 8, 9, 15, 16, 999].filter((unit) => bits.has(unit))).toEqual([0, 7, 9]);
});

test("sold and closed win over held, mine over both, and a pick counts only while free", () => {
  const byte = (b: number) => btoa(String.fromCharCode(b));
  const units = new Units({ taken: byte(0b0111_0110), sold: byte(0b0010_0000), closed: byte(0b0000_0110) });
  const state = (unit: number) => units.state(unit, new Set([0, 1]), new Set([3, 6]));
  expect([0, 1, 2, 3, 4, 5, 6].map(state)).toEqual(["picked", "held", "sold", "mine", "free", "closed", "mine"]);
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
