import { count } from "../format.ts";

export const party = {
  heading: "Share your place",
  lead: (max: number) =>
    `Send this link to your friends. You are one place then: one draw, one turn, one basket, and you all come in together. Up to ${count(max)} people, until it is your turn.`,
  link: "Link for your friends",
  copy: "Copy the link",
  copied: "Copied",
  now: (size: number) => (size === 1 ? "Nobody has joined you yet." : `You are ${count(size)} now. Each of you may leave alone.`),
  wait: "Making a link…",
  close: "Close",

  joining: { heading: "Joining your friends…", lead: "You share their place in line." },
  own: {
    heading: "You stand in this line already",
    lead: "To share your friends’ place, give up your own for good.",
    keep: "Keep mine",
    take: "Share theirs",
  },
  failed: { heading: "You could not join your friends", again: "Try again", stay: "Stand in line alone" },
};
