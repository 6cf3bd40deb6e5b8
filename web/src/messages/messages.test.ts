import { expect, test } from "vitest";
import { news, waiting } from "./en";
import { clock, money } from "./format";

test("money uses the minor unit of its currency", () => {
  expect(money({ amount: 4500, currency: "EUR" })).toBe("€45.00");
  expect(money({ amount: 4500, currency: "JPY" })).toBe("¥4,500");
});

test("spans count down to zero and not below, and seconds are never shown too early as gone", () => {
  expect([65_000, 64_001, 1, 0, -5_000, 7_261_000].map(clock)).toEqual(["1:05", "1:05", "0:01", "0:00", "0:00", "2:01:01"]);
});

test.each([
  [0, 20, "About a minute or less to go"],
  [30, 170, "Less than 3 minutes to go"],
  [180, 180, "About 3 minutes to go"],
  [180, 330, "About 3 to 6 minutes to go"],
])("a wait of %i to %i seconds never promises more than the range", (low, high, text) => {
  expect(waiting.waiting.wait(low, high)).toBe(text);
});

test("a party is told of all its members, and of a sell-out as anybody", () => {
  expect(news.party("good", 2)).toBe("There is a good chance of tickets for both of you.");
  expect(news.party("even", 5)).toBe("There is about an even chance of tickets for all 5 of you.");
  expect(news.party("slim", 10)).toBe("The chance of tickets for all 10 of you is slim. For fewer it may be better.");
  for (const chance of ["returns", "sold-out", ""] as const) expect(news.party(chance, 3)).toBe(news.chance[chance]);
});

test("one person is one person", () => {
  expect(waiting.lobby.entrants(1)).toBe("1 person is in the lobby");
  expect(waiting.lobby.entrants(4210)).toBe("4,210 people are in the lobby");
});
