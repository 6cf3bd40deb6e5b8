/** Stars to look at: how many there are stands beside them in words. */
export const Stars = ({ of }: { of: number }) => (
  <span class="stars" aria-hidden="true">
    {"★".repeat(of)}
    {"☆".repeat(5 - of)}
  </span>
);
