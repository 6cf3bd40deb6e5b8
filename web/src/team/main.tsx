// Who works for an organization, and its API keys. A sign-in link carries the key in its
// fragment; it is taken out of the address before anything else happens.

import { render } from "preact";
import { TeamPage } from "./TeamPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<TeamPage signInKey={key} />, document.getElementById("page")!);
