// The desk of whoever runs the sale. A sign-in link carries the key in its
// fragment; it is taken out of the address before anything else happens.

import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import { OpsPage } from "./OpsPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<OpsPage signInKey={key} />, document.getElementById("page")!);
