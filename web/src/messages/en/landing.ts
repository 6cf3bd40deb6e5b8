import { moment } from "../format.ts";

export const landing = {
  title: "Sales · Ropeline",
  noscript: "This page needs JavaScript. Please switch it on and load the page again.",
  heading: "On sale",
  lead: "Pick a sale to stand in its line. Everybody waits behind the same rope.",
  none: "Nothing is on sale right now.",
  opens: (at: string) => `Opens ${moment(at)}`,
  phase: {
    lobby: "The lobby is open",
    drawing: "The order is being drawn",
    open: "On sale now",
    ended: "Over",
  },
  paused: "Paused",
  orders: "Your orders on this device",
  order: (at: string) => `Order of ${moment(at)}`,
};
