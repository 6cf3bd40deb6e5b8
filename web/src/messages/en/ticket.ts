import { count, hour, plural } from "../format.ts";
import { localHour, localMoment } from "../local.ts";

const minutes = (ms: number) => {
  const n = Math.round(Math.abs(ms) / 60_000);
  return `${count(n)} ${plural(n, { one: "minute", other: "minutes" })}`;
};

export const ticket = {
  title: "Your tickets · Ropeline",
  noscript: "This page needs JavaScript to make the codes of your tickets. Please switch it on and load the page again.",
  heading: "Your tickets",
  code: (place: string) => `Code of the ticket for ${place}. It changes every 15 seconds.`,
  printed: (place: string) => `QR code of the ticket for ${place}`,
  of: (n: number, all: number) => `Ticket ${count(n)} of ${count(all)}`,
  before: "Ticket before",
  next: "Next ticket",
  starts: (at: string, zone: string) => localMoment(at, zone),
  doors: (at: string, zone: string) => `Doors ${localHour(at, zone)}`,
  place: "Local time of the venue",
  used: (at: string, door: string, zone: string) => `Used ${localHour(at, zone)}, ${door}`,
  bright: "Turn up the brightness of the screen for the scanner.",
  state: {
    unpaid: "The payment is being confirmed. The code appears once it is.",
    blocked: "Your bank has asked for the money back. This ticket opens no door until that is decided.",
    void: "Your bank has taken the money back. This ticket opens no door.",
    canceled: "Canceled. This ticket opens no door.",
    given: "You have given this ticket to somebody else: it is theirs.",
    gone: "This browser cannot make the code: open the page over https, or take the printed ticket along.",
  },
  show: { scheduled: "", postponed: "Postponed. The new date is not known yet; the ticket stays good.", canceled: "This show is canceled." },
  kept: "Kept on this phone: the page opens without a connection.",
  unkept: "This browser keeps nothing: leave the page open, or take the printed ticket along.",
  keeping: "Being kept on this phone …",
  offline: (at: number) => `Without a connection. What you see is of ${hour(new Date(at).toISOString())}.`,
  clock: (off: number) => `The clock of this phone is ${minutes(off)} ${off < 0 ? "fast" : "slow"}. The code goes by ours, so leave the clock as it is now.`,
  order: "Order and receipt",
  warning: "Whoever has the address of this page has your tickets. Keep it to yourself.",
  give: (until: string, zone: string) => `You may give a ticket to somebody else, on the page of the order, until ${localMoment(until, zone)}. Once they have accepted it, its code here is dead.`,
  ungiven: { never: "By the organizer’s rules tickets cannot be given to somebody else.", over: "Tickets cannot be given to somebody else any more." },
  noKey: { heading: "This address is incomplete", lead: "Tickets are opened by the full link, including everything after the # sign. Please use the link you were given, or sign in." },
  refused: { heading: "This link opens no tickets", lead: "The link is not valid, or the order does not exist. What this phone kept of it is erased." },
};
