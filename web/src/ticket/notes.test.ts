import { expect, test } from "vitest";
import type { Passes } from "../api/documents";
import { ticket as words } from "../messages/en";
import { clockNote, givingNote } from "./notes";

const show: Passes["for"] = { title: "Gala", state: "scheduled", starts_at: "2027-07-01T20:00:00Z", time_zone: "Europe/Lisbon", venue: "Opera" };
const offer = { state: "accepted" } as NonNullable<Passes["offer"]>;
const until = "2027-06-29T20:00:00Z";
const [before, after] = ["2027-06-29T19:59:59Z", "2027-06-29T20:00:00Z"];

test("until when a ticket may be given is said by the clocks of the venue", () => {
  const note = givingNote({ for: show, now: before, give_until: until });
  expect(note).toBe(words.give(until, "Europe/Lisbon"));
  expect(note).toMatch(/(29 June|June 29).*2027.*(21|9):00/);
});

test.each([
  [{ now: after, give_until: until }, words.ungiven.over],
  [{ now: before }, words.ungiven.never],
  [{ now: before, give_until: until, offer }, ""],
  [{ now: after, give_until: until, offer }, words.ungiven.over],
])("%j", (told, says) => {
  expect(givingNote({ for: show, ...told })).toBe(says);
});

test.each([
  [0, ""],
  [15_000, ""],
  [-15_000, ""],
  [600_000, "The clock of this phone is 10 minutes slow."],
  [-60_000, "The clock of this phone is 1 minute fast."],
])("a clock that is %i ms behind", (ahead, says) => {
  expect(clockNote(ahead)).toBe(says && `${says} The code goes by ours, so leave the clock as it is now.`);
});
