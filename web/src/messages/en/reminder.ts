import { count, moment, plural } from "../format.ts";

export const reminder = {
  heading: "Reminder",
  order: "A letter reminds you before it begins, at ten in the morning where it is.",
  account: "A letter reminds you before what you have tickets of begins, at ten in the morning where it is. What you say on the page of an order counts for that order.",
  label: "Remind me",
  days: (n: number) => (n === 0 ? "Not at all" : plural(n, { one: "A day before", other: `${count(n)} days before` })),
  at: (at: string) => `It comes on ${moment(at)}.`,
  saved: "Saved.",
  lost: "That did not work. Please try again in a moment.",
};
