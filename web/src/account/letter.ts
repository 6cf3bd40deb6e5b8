// What the link of a letter carries.

export interface Letter {
  purpose: "confirm" | "reset" | "email" | "forgot" | "invited";
  token: string;
}

export function letterOf(hash: string): Letter | undefined {
  const found = /^#(confirm|reset|email|forgot|invited)(?:=([\w-]*))?$/.exec(hash);
  return found ? { purpose: found[1] as Letter["purpose"], token: found[2] ?? "" } : undefined;
}

/** Where somebody works who has these roles; "": on no page of ours. */
export function workOf(roles: readonly string[]): string {
  if (roles.includes("organizer") || roles.includes("sre")) return "/desk/sales";
  if (roles.includes("venue")) return "/desk/venues";
  return roles.includes("boxoffice") ? "/counter" : "";
}

/** Where somebody came from to sign in: a page of ours, or "". */
export function backOf(search: string, page: { origin: string } = location): string {
  const wanted = new URLSearchParams(search).get("back") ?? "";
  if (!wanted.startsWith("/")) return "";
  const address = new URL(wanted, page.origin);
  return address.origin === page.origin ? address.pathname + address.search : "";
}
