import { count, moment, plural } from "../format.ts";

export const order = {
  title: "Your order · Ropeline",
  noscript: "This page needs JavaScript to show your tickets. Please switch it on and load the page again.",
  heading: "Your order",
  state: { paid: "Paid", pending: "Being confirmed", canceled: "Canceled" },
  placed: (at: string) => `Placed ${moment(at)}`,
  sentTo: "E-mail",
  number: "Order number",
  total: "Total",
  tickets: (n: number) => `${count(n)} ${plural(n, { one: "ticket", other: "tickets" })}`,
  print: "Print",
  keep: "Whoever has the address of this page has your tickets. Keep it, and keep it to yourself.",
  pending: "The payment is being confirmed. This page looks again by itself.",
  ticket: {
    admit: "Admit one",
    number: "Ticket",
    code: "Code",
    qr: (label: string) => `QR code of the ticket for ${label}`,
    unpaid: "Not paid yet. The code appears once the payment is confirmed.",
    blocked: "Your bank has asked for the money back. The ticket opens no door until that is decided.",
    void: "Your bank has taken the money back. This ticket opens no door.",
    canceled: "Canceled. This ticket opens no door.",
  },
  noKey: { heading: "This address is incomplete", lead: "An order is opened by the full link, including everything after the # sign. Please use the link you were given." },
  refused: { heading: "This link opens no order", lead: "The link is not valid, or the order does not exist." },
  sales: "See all sales",
};
