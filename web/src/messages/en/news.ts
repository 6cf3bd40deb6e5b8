import type { Chance, TermsSheet } from "../../api/documents";
import { count, moment, money, plural } from "../format.ts";

const tickets = (n: number) => `${count(n)} ${plural(n, { one: "ticket", other: "tickets" })}`;
const seconds = (n: number) => (n % 60 === 0 ? `${count(n / 60)} ${plural(n / 60, { one: "minute", other: "minutes" })}` : `${count(n)} seconds`);

/** What a field of the terms sheet is called. */
const fields: Record<string, string> = {
  title: "The title",
  lobby_closes_at: "The end of the lobby",
  opens_at: "The opening",
  ends_at: "The end of the sale",
  performance: "The performance",
  performance_title: "The title of",
  venue: "The venue of",
  starts_at: "The beginning of",
  tier: "Tickets for",
  tier_name: "The name of",
  kind: "The kind of",
  price: "The price of",
  units: "The number of places of",
  units_per_hold: "Tickets at once",
  units_per_place: "Tickets in all",
  hold: "Time to pay",
  hold_extensions: "Extensions of that time",
  party_max: "Friends who share a place",
  visitor: "Who gets a place",
  claim_window: "Time to come in",
  session_max: "Time in the shop",
  draw: "How the order is made",
  beacon: "What goes into the draw",
  lane: "The lane",
  lane_title: "The name of the lane",
  lane_share: "Of 100 turns, the lane",
  lane_entry: "The way into the lane",
};
const times = ["lobby_closes_at", "opens_at", "ends_at", "starts_at", "performance"];
const spans = ["hold", "claim_window", "session_max"];

export const news = {
  heading: "What is left",
  message: "From the organizer",

  chance: {
    good: "There is a good chance that you can still buy when it is your turn.",
    even: "There is about an even chance that something is left when it is your turn.",
    slim: "The chance is slim: those ahead of you will probably buy what is left.",
    returns: "Nothing is left right now.",
    "sold-out": "Sold out.",
    "": "We say how your chances are as soon as the first have bought.",
  } satisfies Record<Chance | "", string>,
  /** The same for a party, whose chances are those of all its members together. */
  party: (chance: Chance | "", n: number) => {
    const you = n === 2 ? "both of you" : `all ${count(n)} of you`;
    if (chance === "good") return `There is a good chance of tickets for ${you}.`;
    if (chance === "even") return `There is about an even chance of tickets for ${you}.`;
    return chance === "slim" ? `The chance of tickets for ${you} is slim. For fewer it may be better.` : news.chance[chance];
  },
  together: (n: number) => (n === 1 ? "single seats only" : `at most ${n} side by side`),
  tier: { good: "good chance", even: "about even", slim: "slim chance", returns: "none left now", "sold-out": "sold out" } satisfies Record<Chance, string>,

  soldOut: {
    returns: {
      heading: "Sold out for now",
      lead: "What comes back is offered to this line, in its order: staying is the list for returns. Your place is kept, and you may leave whenever you like.",
    },
    "sold-out": {
      heading: "Everything is sold",
      lead: "Nobody holds a ticket that could still come back. If an order is canceled later, its tickets go to the returns list, in its order: join it there. You need not stay here.",
    },
    held: (n: number) => `Nothing is left right now, but ${tickets(n)} ${plural(n, { one: "is", other: "are" })} in baskets and payments and may come back.`,
    list: "To the returns list",
    leave: "Leave the line",
  },

  changed: {
    heading: "The terms have changed since you joined",
    when: (at: string, reason: string) => `${moment(at)}: ${reason}`,
    what: (what: string, of: string, from: string, to: string) => {
      const name = `${fields[what] ?? what}${of ? ` ${of}` : ""}`;
      if (from === "") return `${name}: new, ${to}`;
      return to === "" ? `${name}: taken away` : `${name}: ${from} before, ${to} now`;
    },
  },
  /** A value of a sheet as people write it. */
  value: (what: string, value: string) => {
    if (value === "") return "";
    const price = /^(\d+) ([A-Z]{3})$/.exec(value);
    if (price && (what === "price" || what === "tier")) return money({ amount: Number(price[1]), currency: price[2]! });
    if (times.includes(what)) return moment(value);
    return spans.includes(what) ? seconds(Number(value)) : value;
  },

  rules: {
    heading: "Limits and rules",
    list: (sheet: TermsSheet) => [
      `At most ${tickets(sheet.units_per_hold)} at once${sheet.units_per_place ? `, and ${count(sheet.units_per_place)} in all` : ""}. They are yours for ${seconds(sheet.hold)} while you pay.`,
      `When it is your turn, you have ${seconds(sheet.claim_window)} to come in, and ${seconds(sheet.session_max)} in the shop.`,
      sheet.party_max > 1 ? `Up to ${count(sheet.party_max)} friends may share one place.` : "Each place is for one person.",
      { anybody: "Anybody may join.", browser: "Each browser gets one place.", invitation: "Only who was invited may join." }[sheet.visitor] ?? `Each visitor gets one place (${sheet.visitor}).`,
      ...(sheet.lanes ?? []).map((lane) => `Of 100 turns, ${count(lane.share)} go to the lane ${lane.title}, as long as somebody waits there.`),
      sheet.draw === "arrival" ? "First come, first served: the line is in the order in which people came." : "The order of the lobby is drawn by lot; whoever comes later stands behind.",
      `The sale ends ${moment(sheet.ends_at)}.`,
    ],
    signed: "The signed sheet, to keep",
  },
};
