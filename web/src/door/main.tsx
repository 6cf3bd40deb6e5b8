// The door's scanner. A sign-in link carries the key in its fragment; it is taken out of the
// address before anything else happens.

import { render } from "preact";
import { DoorPage } from "./DoorPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<DoorPage signInKey={key} />, document.getElementById("page")!);
