import { expect, test } from "vitest";
import golden from "../../../edge/wire/testdata/draw-proof.json";
import { check, rootOf, scoreOf } from "./check";

const broken = (checks: [string, string][]) => checks.filter(([, verdict]) => verdict === "broken").map(([name]) => name);

test("a place of a frozen draw is proved", async () => {
  expect(await rootOf(golden)).toBe(golden.root);
  expect(await scoreOf(golden)).toBe(golden.score);
  expect(broken(await check(golden, { commitment: golden.commitment, root: golden.root }))).toEqual([]);
  expect((await check(golden, {})).filter(([, verdict]) => verdict === "unknown")).toHaveLength(2);
});

test("whatever is changed is noticed", async () => {
  const other = golden.root.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  const changes: [Partial<typeof golden>, string[]][] = [
    [{ place: "somebody-else" }, ["member", "score"]],
    [{ index: golden.index + 1 }, ["member"]],
    [{ index: golden.count }, ["member"]],
    [{ count: golden.count + 1 }, ["member"]],
    [{ path: golden.path.slice(1) }, ["member"]],
    [{ path: [...golden.path, golden.root] }, ["member"]],
    [{ score: golden.score + 1 }, ["score"]],
    [{ seed: other }, ["seed", "score"]],
    [{ seed: "nonsense" }, ["seed", "score"]],
    [{ beacon: other }, ["score"]],
    [{ beacon_rule: "another" }, ["seed"]],
    [{ close: golden.close + 1 }, ["seed"]],
  ];
  for (const [change, names] of changes) expect(broken(await check({ ...golden, ...change }, {})), JSON.stringify(change).slice(0, 60)).toEqual(names);
  expect(broken(await check(golden, { commitment: other, root: other }))).toEqual(["commitmentNoted", "rootNoted"]);
});
