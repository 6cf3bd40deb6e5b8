import { count, moment } from "../format.ts";

type Data = Record<string, unknown>;
const number = (value: unknown) => count(typeof value === "number" ? value : 0);
const text = (value: unknown) => (typeof value === "string" ? value : "");
const because = (data: Data) => (text(data.reason) ? `: ${text(data.reason)}` : "");
/** What was set, and what it was before. */
const changes = ({ set, was }: Data) =>
  Object.entries((set ?? {}) as Data)
    .map(([name, to]) => `${name.replace("_", " ")} ${String(((was ?? {}) as Data)[name] ?? "")} → ${String(to)}`)
    .join(", ");
const short = (hash: unknown) => `${text(hash).slice(0, 12)}…`;

export const ledger = {
  title: "The ledger · Ropeline",
  noscript: "Reading the ledger here needs JavaScript. It is also a file, with a program and a description to check it.",
  heading: "The ledger",
  lead: "Everything that was decided about this sale, as it happened: who may come in, how fast, and why it paused. Each entry is sealed with the one before it, so nothing can be changed, taken out or put in later without its showing. It names nobody.",
  back: "Back to the line",
  draw: "The draw",
  receipt: "What happened to my place",
  head: "The newest seal",
  noteThis: "Write it down, or take a picture. With it anybody can prove later that nothing up to here was changed.",
  noted: (seq: number, at: string) => `This browser noted entry ${count(seq)} ${moment(at)}.`,
  entry: (seq: number) => `Entry ${count(seq)}`,
  none: "Nothing has happened yet.",
  signed: (seq: number) => `Signed by the organizer up to entry ${count(seq)}`,
  checking: "Checking…",
  good: (n: number) => `Your browser has checked the ${count(n)} ${n === 1 ? "entry" : "entries"} below: each follows the one before it.`,
  bad: "Something does not fit. Please keep this page, and what you wrote down, and ask the organizer.",
  changed: "The entry that this browser noted is another one now. Please keep this page and ask the organizer.",
  what: "What happened",
  older: "Older entries",
  file: "The whole ledger as a file",
  fileNote: "With it anybody can check everything: ropeline verify-ledger, or the short description of the format.",
  /** What an entry says; one of a kind that this page does not know is shown as it is. */
  kinds: {
    published: (d: Data) => `The sale was published: up to ${number(d.cap)} people inside at once, ${number(d.rate)} let in a minute`,
    "draw-committed": (d: Data) => `The draw's secret number was fixed, with the fingerprint ${short(d.commitment)}`,
    "draw-bound": (d: Data) => `The lobby closed with ${number(d.entrants)} in it, with the fingerprint ${short(d.root)}`,
    drawn: (d: Data) => `The order was drawn, and the secret number shown: ${short(d.seed)}`,
    opened: () => "The sale opened",
    ended: (d: Data) => `The sale ended; ${number(d.admitted)} were let in`,
    limits: (d: Data) => `The limits were changed: ${changes(d)}${because(d)}`,
    mode: (d: Data) => `How people are let in was changed: ${changes(d)}${because(d)}`,
    message: (d: Data) => `The organizer said: ${text(d.text) || JSON.stringify(d)}`,
    admissions: (d: Data) => `${number(d.admitted)} were let in, ${number(d.total)} so far; ${
        d.limit === -1 ? "everybody may pass" : `never more than ${number(d.max_active)} were inside at once, with a limit of ${number(d.limit)}`
      }`,
    lost: (d: Data) => `Something may be missing here: ${text(d.what)}`,
    signed: (d: Data) => `The organizer signed everything up to entry ${number(d.seq)}`,
    key: (d: Data) => `The ledger is signed with the key ${text(d.key)}`,
  } as Record<string, (data: Data) => string>,
};
