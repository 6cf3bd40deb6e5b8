// The tickets of an order on a phone. The key is the address's fragment, as that of the
// order's page.

import { render } from "preact";
import { order } from "../api/account";
import { keptOrders } from "../order/keep";
import { TicketPage } from "./TicketPage";

const id = decodeURIComponent(location.pathname.split("/")[2] ?? "");

/** Where the address has no key: of an order that this browser has made, or of the account that is signed in. */
async function keyOf(): Promise<string> {
  const kept = keptOrders().find((each) => each.id === id);
  return kept?.key ?? (await order(id).then((found) => found.key ?? "", () => ""));
}

async function draw(): Promise<void> {
  if (location.hash === "") {
    const key = await keyOf();
    if (key !== "") history.replaceState(null, "", `#${key}`);
  }
  render(<TicketPage key={location.hash} id={id} orderKey={location.hash.slice(1)} />, document.getElementById("page")!);
}

addEventListener("hashchange", () => void draw());
void draw();
