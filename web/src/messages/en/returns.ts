import { clock, count, moment, plural } from "../format.ts";

const tickets = (n: number) => `${count(n)} ${plural(n, { one: "ticket", other: "tickets" })}`;
const people = (n: number) => `${count(n)} ${plural(n, { one: "person", other: "people" })}`;
const minutes = (seconds: number) => {
  const n = Math.max(1, Math.round(seconds / 60));
  return `${count(n)} ${plural(n, { one: "minute", other: "minutes" })}`;
};

export const returns = {
  title: "Returns list · Ropeline",
  noscript: "The returns list needs JavaScript. Please switch it on and load the page again.",

  join: {
    heading: "Returns list",
    lead: "When everything is sold, some tickets still come back: orders are canceled, payments fail. They are offered to this list, in the order in which people joined it.",
    window: (seconds: number) => `An offer is yours for ${minutes(seconds)}. If you do not take it, it goes to the next.`,
    performance: "Performance",
    what: "What do you wait for?",
    waiting: (n: number) => (n === 0 ? "nobody waits yet" : `${people(n)} ${plural(n, { one: "waits", other: "wait" })}`),
    onSale: (free: number) => `${count(free)} on sale now, in the line`,
    held: (held: number) => `all taken, ${count(held)} may come back to the line`,
    quantity: "How many tickets",
    tickets,
    together: "Side by side",
    email: "E-mail",
    once: "One place on the list for each e-mail address and performance.",
    go: "Join the list",
    going: "Joining…",
    nothing: "Nothing of this is sold out. Tickets are sold in the line.",
    toLine: "To the line",
    yours: "Your places",
    see: "See your place",
  },

  place: {
    waiting: "You are on the returns list",
    next: "You are next on the list",
    ahead: (n: number) => `${people(n)} ${plural(n, { one: "stands", other: "stand" })} before you.`,
    wish: (n: number, tier: string, together: boolean) => `${tickets(n)}, ${tier}${together && n > 1 ? ", side by side" : ""}`,
    joined: (at: string) => `Joined ${moment(at)}.`,
    stay: "This page looks again by itself. Keep it open, or come back with its address: an offer waits for you only as long as it says.",
    larger: "If fewer tickets come back than you want, they go to somebody who wants fewer. You keep your place.",
    keep: "Whoever has the address of this page has your place. Keep it, and keep it to yourself.",
    leave: "Leave the list",
    leaveAsk: { heading: "Leave the returns list?", lead: "Your place is gone then. You can join again, at the end.", offered: "What you are offered goes to the next.", stay: "Stay", go: "Leave the list" },
  },

  offered: {
    heading: "Tickets for you",
    lead: "They came back, and it is your turn. Take them before the time is over, or they go to the next.",
    left: "Yours for",
    soon: (n: number) => `${count(n)} ${plural(n, { one: "minute", other: "minutes" })} left.`,
    claim: "Take them",
    title: (ms: number) => `${clock(ms)} to take your tickets · Ropeline`,
    back: "Not now",
  },

  bought: { heading: "It’s done", lead: "The tickets are yours.", see: "See your tickets" },
  over: {
    bought: { heading: "You bought what you were offered", lead: "Your tickets are on the page of your order." },
    lapsed: { heading: "The offer is over", lead: "It was not taken, or not paid for, in time, and went to the next. You can join the list again, at the end." },
    left: { heading: "You have left the list", lead: "You can join it again, at the end." },
    closed: { heading: "The returns list is closed", lead: "The performance has begun. Nothing more was offered to you." },
  },
  again: "Join again",
  noKey: { heading: "This address is incomplete", lead: "A place is opened by the full link, including everything after the # sign. Please use the link you were given." },
  refused: { heading: "This link opens no place", lead: "The link is not valid, or there is no such place." },
  missing: { heading: "There is nothing here", lead: "There is no such sale, or nothing is sold in it yet." },

  problem: {
    email: "Please enter an e-mail address, such as name@example.com.",
    joined: "This address has a place on this list already. Use the link that you got then.",
    notSoldOut: "This is not sold out: what is left, or may still come back from baskets, is sold in the line.",
    full: "So many wait for this already that there is no chance any more.",
    limit: "That would be more than one person may have in this sale.",
    over: "The time of this offer is over, and it has gone to the next.",
  },
};
