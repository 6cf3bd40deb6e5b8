import { solveChallenge, verifySolution } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
import { expect, test } from "vitest";
import golden from "../../../edge/visitor/testdata/altcha.json";
import { type Challenge, proofOf, solve } from "./solve";

// The same challenge is read by the tests of package edge/visitor.
const challenge = golden.challenge as Challenge & typeof golden.challenge;

test("altcha-lib, which is not ours, takes what this page solves, and solves the same", async () => {
  const ours = await solve(challenge);
  const theirs = await solveChallenge({ challenge, deriveKey });
  expect(theirs).toMatchObject(ours);
  const secrets = { hmacSignatureSecret: golden.secrets.challenges, hmacKeySignatureSecret: golden.secrets.keys };
  expect((await verifySolution({ challenge, solution: { ...ours, time: 0 }, deriveKey, ...secrets })).verified).toBe(true);
  const wrong = { ...ours, derivedKey: ours.derivedKey.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")), time: 0 };
  expect((await verifySolution({ challenge, solution: wrong, deriveKey, ...secrets })).verified).toBe(false);
  expect(JSON.parse(atob(proofOf(challenge, ours)))).toEqual({ challenge, solution: ours });
});
