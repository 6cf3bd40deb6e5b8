import { expect, test } from "vitest";
import { Refusal } from "../api/http";
import { stopped } from "./stopped";

test("who has to wait is told how long, in words that can be read", () => {
  expect(stopped(new Refusal(429, "slowed-holds", "", 1))).toContain("please wait 1 second, then");
  expect(stopped(new Refusal(429, "slowed-payments", "", 80.2))).toMatch(/did not go through, or very many were begun.* not charged.*wait 81 seconds/);
  expect(stopped(new Refusal(429, "slowed-network", "", 300))).toMatch(/from your network, which you may share.*wait 5 minutes/);
  expect(stopped(new Refusal(429, "slowed-card", "", undefined))).toContain("wait 60 seconds");
});

test("who is blocked is told for how long, what stays theirs, and what to give the organizer", () => {
  for (const what of ["holds", "payments", "network", "card", "staff"]) {
    const text = stopped(new Refusal(403, `blocked-${what}`, "", 24 * 3600, "0192-ref"));
    expect(text).toContain("24 hours");
    expect(text).toMatch(/yours|your places/);
    expect(text).toMatch(/give this reference: 0192-ref$/);
  }
  expect(stopped(new Refusal(403, "blocked-staff", "", 600))).toMatch(/yours\.$/);
});

test("another refusal is none of these", () => {
  for (const code of ["units-taken", "slowed", "slowed-toString", "blocked-", ""]) expect(stopped(new Refusal(409, code, "", undefined))).toBeUndefined();
});
