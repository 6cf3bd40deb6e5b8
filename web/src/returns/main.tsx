// The returns list: at /sales/{sale}/returns one joins it, at /returns/{place}#key one
// sees the place and what it is offered. Browsers never send the key to a server as a
// part of the address, nor name it as a referrer.

import { render } from "preact";
import { JoinPage } from "./JoinPage";
import { keptPlaces } from "./keep";
import { PlacePage } from "./PlacePage";

const [, where, name = ""] = location.pathname.split("/");
const id = decodeURIComponent(name);
const page = document.getElementById("page")!;

function draw(): void {
  if (where === "sales") return render(<JoinPage saleId={id} />, page);
  // A bank's page leads back to the address without the key.
  const key = location.hash.slice(1) || (keptPlaces().find((kept) => kept.id === id)?.key ?? "");
  render(<PlacePage id={id} placeKey={key} />, page);
}

addEventListener("hashchange", draw);
draw();
