// The desk of whoever runs the sale. A sign-in link carries the key in its
// fragment; it is taken out of the address before anything else happens.

import { render } from "preact";
import { OpsPage } from "./OpsPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
render(<OpsPage signInKey={key} />, document.getElementById("page")!);
