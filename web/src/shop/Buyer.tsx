import { useEffect, useState } from "preact/hooks";
import { signedIn } from "../api/account";
import { shop as words } from "../messages/en";

/** undefined: it is not known, or there are no accounts. */
export type Who = { email: string } | "guest" | undefined;

let known: Who;

/** Who buys. Each part of the shop asks, as somebody may have signed in meanwhile. */
export function useBuyer(): Who {
  const [who, setWho] = useState<Who>(known);
  useEffect(() => {
    signedIn().then(
      (mine) => setWho((known = mine ? { email: mine.account.email } : "guest")),
      () => {}, // whoever is not told who they are buys as they would without
    );
  }, []);
  return who;
}

/** Where an order will be found besides its link. */
export function Buyer({ who }: { who: Who }) {
  if (who === undefined) return <p class="note buyer" />;
  if (who !== "guest") return <p class="note buyer">{words.pay.account(who.email)}</p>;
  return (
    <p class="note buyer">
      {words.pay.guest} <a href={`/account?back=${encodeURIComponent(location.pathname)}`}>{words.pay.signIn}</a> {words.pay.guestMay}
    </p>
  );
}
