import { count, hour, moment, plural } from "../format.ts";

const tickets = (n: number) => `${count(n)} ${plural(n, { one: "ticket", other: "tickets" })}`;

/** What a postponed or canceled performance does to whoever buys. */
const stops = ["Nothing more is sold: new choices of places are refused within a minute, and checkouts at once.", "Who holds places cannot pay for them, and is not charged. Payments that have begun are finished."];

/** Why an order was left by refunds of all. */
const reasons: Record<string, string> = {
  "sold-at-counter": "Sold at the box office: it is given back there.",
  "order-disputed": "The buyer’s bank has asked for the money. Wait until that is decided.",
  "order-dispute-lost": "The buyer’s bank has got the money back already.",
  "order-not-paid": "It is still being paid for.",
  "exchange-running": "Its tickets are being exchanged.",
  "coupon-used": "It bought a coupon that was used.",
  "coupon-reserved": "It bought a coupon that is being used for another order.",
};

export const sales = {
  title: "Sales · Ropeline",
  noscript: "This page needs JavaScript. Please switch it on and load the page again.",
  heading: "Sales",
  signIn: {
    heading: "Sign in to your sales",
    key: "Staff key",
    submit: "Sign in",
    wrong: "This key is not known.",
    other: "This key is not for sales. It opens for organizers and for SREs.",
    over: "Your sign-in is over. Sign in again.",
    hint: "Made by: ropeline keygen staff NAME organizer",
  },
  signOut: "Sign out",
  none: "There is no performance yet.",
  performance: "Performance",
  listing: (title: string, at: string) => `${title} · ${moment(at)}`,
  asOf: (at: string) => `As of ${at}`,
  late: "No connection: this may be old.",

  money: "Money",
  moneyNone: "No money has come in yet.",
  taken: "Taken",
  refunded: "Given back",
  toRefund: "Still to give back",
  fee: "Platform fee",
  tax: "Tax",
  net: "Net",
  orders: (n: number) => `${count(n)} ${plural(n, { one: "order", other: "orders" })}`,

  tiers: "By tier",
  tierColumns: ["Tier", "Price", "Sold", "Unpaid", "Canceled", "Value"],
  soldOf: (sold: number, units: number) => `${count(sold)} of ${count(units)}`,

  time: "Over time",
  timeNone: "Nothing has been sold yet.",
  point: (at: string, amount: string, orders: number) => `${hour(at)}: ${amount}, ${count(orders)} ${plural(orders, { one: "order", other: "orders" })}`,
  every: (seconds: number) => {
    if (seconds % 86_400 === 0) return `Each bar is ${count(seconds / 86_400)} ${plural(seconds / 86_400, { one: "day", other: "days" })}.`;
    if (seconds % 3_600 === 0) return `Each bar is ${count(seconds / 3_600)} ${plural(seconds / 3_600, { one: "hour", other: "hours" })}.`;
    return `Each bar is ${count(seconds / 60)} ${plural(seconds / 60, { one: "minute", other: "minutes" })}.`;
  },
  seriesOf: (currency: string) => `Money over time, ${currency}`,

  funnel: "From the door to the ticket",
  funnelNote: "The line is that of the whole sale. Views that a cache answered are not counted.",
  steps: { views: "Opened the page", joined: "Joined the line", offered: "Turn came", admitted: "Came in", holds: "Held places", paying: "Began to pay", bought: "Bought" },
  ofBefore: (share: string) => `${share} of the step before`,

  map: "Map",

  search: "Orders",
  email: "E-mail, or a part of it",
  seat: "Seat, or a part of its name",
  state: "State",
  any: "Any",
  states: { pending: "Pending", paid: "Paid", canceled: "Canceled" },
  ticketStates: { unpaid: "unpaid", valid: "valid", canceled: "canceled", blocked: "blocked", void: "void" } as Record<string, string>,
  find: "Find",
  reference: "Order number",
  open: "Open",
  found: (n: number, more: boolean) => `${count(n)} ${plural(n, { one: "order", other: "orders" })}${more ? ", and more" : ""}`,
  foundNone: "No order is like that.",
  more: "Show more",
  noEmail: "No e-mail",
  placed: (at: string) => moment(at),

  cancel: {
    heading: "Cancel tickets",
    reason: "Reason",
    full: "Give back everything, whatever the rules keep",
    go: "Cancel and give the money back",
    nothing: "Choose a ticket.",
    missing: "Say why.",
    done: "Canceled. The money is on its way back.",
    counter: "This was paid at the counter: cancel it there.",
  },

  standing: {
    heading: "How it stands",
    performance: "This performance",
    event: (n: number) => (n === 1 ? "Its event" : `Its event, with ${count(n)} performances`),
    shows: { scheduled: "On", postponed: "Postponed", canceled: "Canceled" },
    events: { draft: "Not published", published: "Published", postponed: "Postponed", canceled: "Canceled" },
    draft: "Not published",
    setUp: "What is not published is published where it is set up.",
    steps: { on: "Put on again…", postponed: "Postpone…", canceled: "Cancel…" },
    yes: { on: "Put on again", postponed: "Postpone", canceled: "Cancel for good" },
    about: (step: string, name: string) => `${step}: ${name}`,
    asks: {
      performance: { on: "Put this performance on again?", postponed: "Postpone this performance?", canceled: "Cancel this performance for good?" },
      event: { on: "Put the event on again?", postponed: "Postpone the event?", canceled: "Cancel the event for good?" },
    },
    along: (n: number) => `This is about ${n === 1 ? "the one performance" : `all ${count(n)} performances`} of it that ${plural(n, { one: "has", other: "have" })} not begun and ${plural(n, { one: "is", other: "are" })} not canceled. The figures here are those of the performance that you see.`,
    does: {
      on: (sold: number) => [`It is sold again, as far as its sale is open.`, sold === 0 ? "No ticket is sold yet." : `${tickets(sold)} sold ${plural(sold, { one: "is", other: "are" })} good, as before.`],
      postponed: (sold: number) => [
        ...stops,
        sold === 0 ? "No ticket is sold yet." : `${tickets(sold)} sold ${plural(sold, { one: "stays", other: "stay" })} good for the new day. No money goes back by itself.`,
        "Nobody is written to by this. You can put it on again.",
      ],
      canceled: (sold: number) => [
        "This cannot be undone.",
        ...stops,
        sold === 0 ? "No ticket is sold yet." : `${tickets(sold)} sold ${plural(sold, { one: "stays", other: "stay" })} in the buyers’ orders, and no money goes back, until you give everybody their money back here.`,
        "Nobody is written to by this.",
      ],
    },
    no: "Leave it as it is",
    done: {
      performance: { on: "The performance is on again.", postponed: "The performance is postponed.", canceled: "The performance is canceled. Nobody has their money back yet." },
      event: { on: "The event is on again.", postponed: "The event is postponed.", canceled: "The event is canceled. Nobody has their money back yet." },
    },
  },

  refundAll: {
    heading: "Everybody’s money back",
    lead: "Nobody gets their money back by itself. All that was paid goes back, whatever the rules would keep; what they kept of tickets that were canceled before stays.",
    go: "Give everybody their money back…",
    ask: "Give everybody their money back?",
    yes: "Give it all back",
    does: (sold: number) => [
      `All orders are canceled, with ${tickets(sold)} sold, and all that was paid goes back the way that it came.`,
      "This cannot be stopped or undone. What is still being paid for goes back as well.",
      "What was sold at the box office is given back there.",
    ],
    asked: (at: string, who: string, reason: string) => `Asked for on ${moment(at)} by ${who.replace(/^staff:/, "")}: ${reason}`,
    runs: "On its way. You may leave this page: it goes on.",
    over: (rest: boolean) => (rest ? "Done, but for what is listed here." : "Done."),
    left: "Orders still to cancel",
    canceled: "Orders canceled",
    refunding: "Refunds on their way",
    refunded: "Refunds made",
    failed: "Refunds that failed",
    number: (n: number) => count(n),
    seeTo: "The payment provider refuses some refunds. Whoever runs this installation sees them, and tries again or makes them by hand.",
    refused: (n: number) => `${count(n)}${n === 100 ? " or more" : ""} ${plural(n, { one: "order was left as it was", other: "orders were left as they were" })}`,
    refusedNote: "They are tried again every ten minutes.",
    why: (code: string) => reasons[code] ?? `It cannot be canceled now (${code}).`,
  },

  settlement: {
    heading: "Settlement",
    performance: "Performance",
    sale: "Sale",
    lines: {
      taken: "Taken online",
      cash: "Taken in cash",
      terminal: "Taken by terminal",
      exchanged: "Came with exchanges",
      refunded: "Given back",
      to_refund: "Still to give back",
      disputed: "Away for disputes",
      dispute_fees: "Costs of disputes",
      fee: "Platform fee",
      tax: "Tax in it",
      owed: "Owed to you",
      net: "Net",
    },
    note: "Sums of the ledger. Net is what is left to you without fee and tax.",
    file: "This performance, order by order (CSV)",
    saleFile: "The whole sale, order by order (CSV)",
  },

  refusals: {
    "changed-meanwhile": "Somebody changed it meanwhile, so nothing was done. You see how it stands now.",
    "event-state": "It does not stand any more as you saw it, so nothing was done. You see how it stands now.",
    "performance-not-canceled": "This performance is not canceled. Cancel it first: then nothing more of it is sold.",
  } as Record<string, string | undefined>,

  files: "Files",
  filesNote: "For a spreadsheet. The accounts are the ledger’s, to the cent.",
  ordersFile: "Orders",
  guestsFile: "Orders with addresses",
  accountsFile: "Accounts with fee, tax and net",

  popularity: "All performances",
  popularityColumns: ["Performance", "Views", "Joined", "Holds", "Orders", "Tickets"],
};
