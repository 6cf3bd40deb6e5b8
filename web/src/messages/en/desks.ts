export const desks = {
  label: "Pages of the desk",
  events: "Events",
  desk: "Waiting room",
  sales: "Sales",
  money: "Money and plan",
  coupons: "Coupons",
  venues: "Venues",
  counter: "Box office and guest list",
  letters: "Letters",
  team: "Team and keys",
  installation: "the whole installation",
  other: (name: string) => `Working for ${name}: change`,
};
