// The desk of who manages venues. A sign-in link carries the key in its fragment; it is
// taken out of the address before anything else happens.

import { render } from "preact";
import { DrawPage } from "./DrawPage";
import { VenuesPage } from "./VenuesPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
const query = new URLSearchParams(location.search);
const page = query.has("draw") ? <DrawPage signInKey={key} venue={query.get("venue") ?? ""} /> : <VenuesPage signInKey={key} />;
render(page, document.getElementById("page")!);
