import { useEffect, useState } from "preact/hooks";
import { chosen, installation, places } from "../api/staff";
import { desks as words } from "../messages/en";
import { Switch } from "./Switch";

/** The pages of the desk in their order, and the roles that open them: what organizers open comes first, by whom it is drawn before roles are known. */
const pages = [
  { name: "events", at: "/desk/setup", roles: ["organizer", "sre"] },
  { name: "desk", at: "/desk", roles: ["organizer", "sre"] },
  { name: "sales", at: "/desk/sales", roles: ["organizer", "sre"] },
  { name: "money", at: "/desk/money", roles: ["organizer", "sre"] },
  { name: "coupons", at: "/desk/coupons", roles: ["organizer", "sre", "vendor"] },
  { name: "letters", at: "/desk/letters", roles: ["organizer", "sre"] },
  { name: "venues", at: "/desk/venues", roles: ["venue", "organizer", "sre"] },
  { name: "team", at: "/desk/team", roles: ["organizer", "admin", "sre"] },
  { name: "door", at: "/door", roles: ["door", "supervisor", "organizer", "sre"] },
  { name: "counter", at: "/counter", roles: ["boxoffice", "sre"] },
] as const;

type Name = (typeof pages)[number]["name"];

/** The pages of the desk that somebody may open, and which of them this is; without here: of one that is not open to them. staff: who that is is known. */
export function Desks({ here, staff }: { here?: Name; staff: boolean }) {
  const [roles, setRoles] = useState<readonly string[]>(pages.find((each) => each.name === here)?.roles.slice(0, 1) ?? []);
  useEffect(() => {
    if (!staff) return;
    let gone = false;
    places()
      .then((all) => gone || setRoles(all.filter((each) => chosen() === "" || chosen() === (each.organization ?? installation)).flatMap((each) => each.roles)))
      .catch(() => {}); // the page itself says what is wrong
    return () => {
      gone = true;
    };
  }, [staff]);
  const open = pages.filter((each) => each.name === here || each.roles.some((role) => roles.includes(role)));
  if (open.length === 0) return null;
  return (
    <nav class="desks" aria-label={words.label}>
      {open.map((each) => (
        <a key={each.name} href={each.at} aria-current={each.name === here ? "page" : undefined}>
          {words[each.name]}
        </a>
      ))}
      {staff && <Switch />}
    </nav>
  );
}
