// What the link of a letter carries, or the way back from a sign-in elsewhere: "second" waits
// for a code, "failed" came to nothing.

export interface Letter {
  purpose: "confirm" | "reset" | "email" | "forgot" | "invited" | "second" | "failed";
  token: string;
}

export function letterOf(hash: string): Letter | undefined {
  const found = /^#(confirm|reset|email|forgot|invited|second|failed)(?:=([\w-]*))?$/.exec(hash);
  return found ? { purpose: found[1] as Letter["purpose"], token: found[2] ?? "" } : undefined;
}

/** Where somebody works who has these roles; "": on no page of ours. */
export function workOf(roles: readonly string[]): string {
  if (roles.includes("organizer") || roles.includes("sre")) return "/desk/sales";
  if (roles.includes("venue")) return "/desk/venues";
  if (roles.includes("boxoffice")) return "/counter";
  if (roles.some((each) => each === "door" || each === "supervisor")) return "/door";
  return roles.includes("admin") ? "/desk/team" : "";
}

/** Where somebody came from to sign in: a page of ours, or "". */
export function backOf(search: string, page: { origin: string } = location): string {
  const wanted = new URLSearchParams(search).get("back") ?? "";
  if (!wanted.startsWith("/")) return "";
  const address = new URL(wanted, page.origin);
  return address.origin === page.origin ? address.pathname + address.search : "";
}
