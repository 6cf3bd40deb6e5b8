// The organizer's view of what sells. A sign-in link carries the key in its fragment; it is
// taken out of the address before anything else happens.

import { render } from "preact";
import { SalesPage } from "./SalesPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<SalesPage signInKey={key} />, document.getElementById("page")!);
