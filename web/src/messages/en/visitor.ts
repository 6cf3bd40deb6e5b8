export const visitor = {
  solving: "Each browser gets one place. To show that it is one, yours is solving a small puzzle; this takes a few seconds.",
  noProof: "Your browser could not solve the puzzle that shows that it is one browser. Please try another browser, or switch off what blocks its scripts.",
};
