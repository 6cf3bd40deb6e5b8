export const leaving = {
  heading: "Leave the line?",
  offered: "It is your turn right now. If you leave, your place is given up for good and goes to the next in line.",
  waiting: "Your place is given up for good. If you come back, you stand at the end.",
  party: "You leave the party; the others keep the place. If you come back alone, you stand at the end.",
  stay: "Stay",
  go: "Leave for good",
};
