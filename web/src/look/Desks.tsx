import { desks as words } from "../messages/en";

const addresses = { desk: "/desk", sales: "/desk/sales", venues: "/desk/venues" };

/** The pages of the desk, and which of them this is. */
export function Desks({ here }: { here: keyof typeof addresses }) {
  return (
    <nav class="desks" aria-label={words.label}>
      {(["desk", "sales", "venues"] as const).map((each) => (
        <a key={each} href={addresses[each]} aria-current={each === here ? "page" : undefined}>
          {words[each]}
        </a>
      ))}
    </nav>
  );
}
