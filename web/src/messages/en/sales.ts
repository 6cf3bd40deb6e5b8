import { count, hour, moment, plural } from "../format.ts";

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

  files: "Files",
  filesNote: "For a spreadsheet. The accounts are the ledger’s, to the cent.",
  ordersFile: "Orders",
  guestsFile: "Orders with addresses",
  accountsFile: "Accounts with fee, tax and net",

  popularity: "All performances",
  popularityColumns: ["Performance", "Views", "Joined", "Holds", "Orders", "Tickets"],
};
