import { expect, test } from "vitest";
import { excerptOf } from "./excerpt";

const file = `{"name":"Hall",
"sections":[
{"name":"Left","rows":[
  {"name":"1","seats":[
    {"name":"1"},
    {"name":"1"}]}]}]}`;

test("a fault leads to its line and those beside it", () => {
  const told = excerptOf(file, { detail: "", pointer: "/sections/0/rows/0/seats/1", line: 6 });
  expect(told.line).toBe(6);
  expect(told.lines.map((each) => each.number)).toEqual([4, 5, 6]);
  expect(told.lines[2]!.text).toBe('    {"name":"1"}]}]}]}');
  expect(excerptOf(file, { detail: "", line: 1 }).lines.map((each) => each.number)).toEqual([1, 2, 3]);
});

test("in a file of one line it leads to the value", () => {
  const line = JSON.stringify({ ...JSON.parse(file), more: "x".repeat(3_000) });
  expect(excerptOf(line, { detail: "", pointer: "/sections/0/rows/0/seats/1", line: 1 }).lines).toEqual([{ number: 1, text: '{"name":"1"}' }]);
  expect(excerptOf(line, { detail: "", pointer: "/sections/9/rows", line: 1 }).lines[0]!.text.length).toBe(161);
});

test("what is no JSON is shown where it ends", () => {
  expect(excerptOf('{"name":\n', { detail: "", line: 2 }).lines).toEqual([
    { number: 1, text: '{"name":' },
    { number: 2, text: "" },
  ]);
});
