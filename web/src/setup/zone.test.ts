import { expect, test } from "vitest";
import { instant, shown } from "./zone";

test.each([
  ["2027-01-15T20:00", "Europe/Lisbon", "2027-01-15T20:00:00.000Z"],
  ["2027-07-15T20:00", "Europe/Lisbon", "2027-07-15T19:00:00.000Z"],
  ["2027-07-15T20:00", "Europe/Vienna", "2027-07-15T18:00:00.000Z"],
  ["2027-07-15T20:00", "America/New_York", "2027-07-16T00:00:00.000Z"],
  ["2027-07-15T00:00", "Asia/Kathmandu", "2027-07-14T18:15:00.000Z"],
  ["2027-07-15T20:00", "UTC", "2027-07-15T20:00:00.000Z"],
])("%s in %s is %s", (local, zone, utc) => {
  const found = instant(local, zone);
  expect(found).toEqual({ at: new Date(utc), twice: false });
  expect(shown(new Date(utc), zone)).toBe(local);
});

test("clocks go forward over an hour, and show another one twice", () => {
  expect(instant("2027-03-28T01:30", "Europe/Lisbon")).toBe("skipped");
  expect(instant("2027-10-31T01:30", "Europe/Lisbon")).toEqual({ at: new Date("2027-10-31T00:30:00Z"), twice: true });
  expect(instant("2027-11-07T01:30", "America/New_York")).toEqual({ at: new Date("2027-11-07T05:30:00Z"), twice: true });
});

test("what is no time is none", () => {
  for (const text of ["", "2027-03", "2027-13-01T10:00", "2027-03-28 10:00", "2027-03-28T10:00Z"]) expect(instant(text, "UTC")).toBeUndefined();
});
