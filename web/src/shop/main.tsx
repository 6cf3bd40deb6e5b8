// The shop of one sale, behind the rope.

import { render } from "preact";
import { ShopPage } from "./ShopPage";

const saleId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
render(<ShopPage saleId={saleId} />, document.getElementById("page")!);
