import { count, plural } from "../format.ts";

const people = (n: number) => `${count(n)} ${plural(n, { one: "person", other: "people" })}`;

export const lane = {
  heading: "Your lane",
  here: (title: string | undefined, share: number) =>
    `You are in ${title ? `the lane ${title}` : "the general lane"}, which gets ${count(share)} % of the turns while people wait in all lanes. Positions are those of the lane.`,
  all: "All lanes, and who goes past the line",
  each: (title: string | undefined, share: number, waiting: number) => `${title ?? "The general lane"}: ${count(share)} % of the turns, ${people(waiting)} waiting`,
  bypass: (title: string, share: number, came: number) => `Past the line: ${title}, at most ${count(share)} % of the places; ${people(came)} so far`,

  enter: "Enter a code",
  label: "The code that you were given for a lane",
  look: "Look where it leads",
  close: "Close",
  leads: (title: string) => `Your code leads to the lane ${title}`,
  offer: (share: number) => `That lane gets ${count(share)} % of the turns while people wait in all lanes.`,
  lobby: (ahead: number) => `You would take part in its draw, with ${people(ahead)}.`,
  tail: (ahead: number, now: number | undefined) =>
    `You would stand at its end, behind ${people(ahead)}${now === undefined ? "" : `; now ${people(now)} ${plural(now, { one: "is", other: "are" })} ahead of you`}.`,
  gives: "Your place in the lane where you are now is given up for good.",
  stay: "Stay where I am",
  move: "Move there",
};
