// Coupons: /coupons is the shelf, /coupons/{id} one of them, /coupons/bag what this
// browser has, /coupons/take#code what somebody passed on. Keys and codes are the
// address's fragment, which browsers never send to a server or name as a referrer.

import { render } from "preact";
import { BagPage } from "./BagPage";
import { CouponPage } from "./CouponPage";
import { keptBag } from "./keep";
import { ShelfPage } from "./ShelfPage";
import { TakePage } from "./TakePage";

const name = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const page = document.getElementById("page")!;

function draw(): void {
  const fragment = location.hash.slice(1);
  if (name === "") return render(<ShelfPage />, page);
  if (name === "bag") return render(<BagPage key={fragment} bagKey={fragment || keptBag()} />, page);
  if (name === "take") return render(<TakePage code={fragment} />, page);
  render(<CouponPage id={name} />, page);
}

addEventListener("hashchange", draw);
draw();
