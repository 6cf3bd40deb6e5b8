import { expect, test } from "vitest";
import { LineClock } from "./clock";

const server = (ms: number) => new Date(ms).toISOString();

test("countdowns run by the server's time, whatever the phone thinks", () => {
  let local = 5_000_000;
  const clock = new LineClock(() => local);
  clock.hear(server(1_000_000));
  local += 4_000;
  expect(clock.until(server(1_010_000))).toBe(6_000);
});

test("a slow answer does not set it back, a quicker one corrects it", () => {
  const clock = new LineClock(() => 0);
  clock.hear(server(10_000));
  clock.hear(server(9_200)); // this one took 0.8 s
  expect(clock.now()).toBe(10_000);
  clock.hear(server(10_300));
  expect(clock.now()).toBe(10_300);
});

test("after a jump the newest is believed", () => {
  let local = 0;
  const clock = new LineClock(() => local);
  clock.hear(server(10_000));
  local = 60_000; // somebody set the phone's clock
  clock.hear(server(11_000));
  expect(clock.now()).toBe(11_000);
});

test("no time at all changes nothing", () => {
  const clock = new LineClock(() => 7);
  clock.hear("");
  expect(clock.now()).toBe(7);
});
