import { count, moment } from "../format.ts";

export const landing = {
  title: "Sales · Ropeline",
  noscript: "This page needs JavaScript. Please switch it on and load the page again.",
  heading: "On sale",
  lead: "Pick a sale. Where people have to wait, everybody waits behind the same rope.",
  none: "Nothing is on sale right now.",
  opens: (at: string) => `Opens ${moment(at)}`,
  phase: {
    lobby: "The lobby is open",
    drawing: "The order is being drawn",
    open: "On sale now",
    ended: "Over",
  },
  busy: (n: number) => `Busy right now: ${count(n)} in line`,
  paused: "Paused",
  coupons: "Coupons",
  account: "Account",
  orders: "Your orders on this device",
  order: (at: string) => `Order of ${moment(at)}`,
};
