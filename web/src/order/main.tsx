// An order and its tickets. The key is the address's fragment, which browsers
// never send to a server or name as a referrer.

import { render } from "preact";
import { order } from "../api/account";
import { keptOrders, orderAddress } from "./keep";
import { OrderPage } from "./OrderPage";

const id = decodeURIComponent(location.pathname.split("/")[2] ?? "");

function draw(): void {
  // A bank's page leads back to the address without the key, which fans are told to keep whole.
  const kept = location.hash === "" && keptOrders().find((each) => each.id === id);
  if (kept) history.replaceState(null, "", orderAddress(kept));
  render(<OrderPage id={id} orderKey={location.hash.slice(1)} />, document.getElementById("page")!);
}

/** Who is signed in needs no key to an order of their account. */
async function open(): Promise<void> {
  if (location.hash === "" && !keptOrders().some((each) => each.id === id)) {
    const key = await order(id).then((found) => found.key ?? "", () => "");
    if (key !== "") history.replaceState(null, "", orderAddress({ id, key }));
  }
  draw();
}

addEventListener("hashchange", draw);
void open();
