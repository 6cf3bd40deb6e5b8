// What an organization writes, and letters that did not arrive. A sign-in link carries the
// key in its fragment; it is taken out of the address before anything else happens.

import { render } from "preact";
import { LettersPage } from "./LettersPage";

const key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (key !== "") history.replaceState(null, "", location.pathname + location.search);
render(<LettersPage signInKey={key} />, document.getElementById("page")!);
