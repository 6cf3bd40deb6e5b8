import { expect, test } from "vitest";
import { Disconnected, Refusal } from "../api/http";
import { insist } from "./insist";

const at = (answers: (Error | string)[]) => {
  let sent = 0;
  const told: boolean[] = [];
  const waits: number[] = [];
  const run = insist(
    async () => {
      const answer = answers[Math.min(sent++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    (again) => told.push(again),
    async (ms) => void waits.push(ms),
  );
  return { run, seen: () => ({ sent, told, waits }) };
};

test("a lost answer is asked for again until it comes", async () => {
  const { run, seen } = at([new Disconnected("lost"), new Refusal(503, "store-away", "", 3), new Refusal(409, "payment-running", "", undefined), "sold"]);
  expect(await run).toBe("sold");
  expect(seen()).toEqual({ sent: 4, told: [true, true, true, false], waits: [500, 3_000, 2_000] });
});

test("a no is final", async () => {
  const { run, seen } = at([new Refusal(409, "units-taken", "", undefined), "never"]);
  await expect(run).rejects.toMatchObject({ code: "units-taken" });
  expect(seen().sent).toBe(1);
});

test("who cannot be reached is not asked for ever", async () => {
  const { run, seen } = at([new Disconnected("lost")]);
  await expect(run).rejects.toBeInstanceOf(Disconnected);
  expect(seen().sent).toBe(4);
});
