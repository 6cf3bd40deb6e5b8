import { hour } from "../format.ts";

/** What is said below the headline when a place is over: loaded then, because few need it in the minute of the opening. */
export const over = {
  expired: {
    lead: "It was your turn, but nobody came in before the time ran out, so the place went to the next in line.",
    again: "You can stand in line again, at its end.",
    front: (by: string) => `Until ${hour(by)} you can have your turn once more, at the front of the line.`,
  },
  left: {
    lead: "Your place was given up, and the people behind you moved up by one.",
    again: "If you change your mind, you can stand in line again, at its end.",
  },
  done: {
    lead: "Thank you for coming. What you bought is yours; its page has your tickets.",
    again: "If you want to buy more, you can come again. If people wait, you stand behind them.",
  },
  reentry: { lead: "The shop failed while you were in it. You do not stand in line again: you go next. This works once." },
  gone: { lead: "The line does not know the place that this browser holds. You can join at the end of the line." },
  ended: { lead: "Nobody is let in any more. Thank you for waiting." },
  unknown: { lead: "The address may be mistyped, or the sale was taken down." },
};
