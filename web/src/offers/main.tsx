// The desk of a shop's coupons. A sign-in link carries the key in its fragment; it is taken
// out of the address before anything else happens.

import { render } from "preact";
import { OffersPage } from "./OffersPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<OffersPage signInKey={key} />, document.getElementById("page")!);
