// What an organizer pays the platform, and what their sales came to. A sign-in link carries
// the key in its fragment; it is taken out of the address before anything else happens.

import { render } from "preact";
import { MoneyPage } from "./MoneyPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<MoneyPage signInKey={key} />, document.getElementById("page")!);
