export const desks = {
  label: "Pages of the desk",
  desk: "Waiting room",
  sales: "Sales",
  venues: "Venues",
};
