// An order and its tickets. The key is the address's fragment, which browsers
// never send to a server or name as a referrer.

import { render } from "preact";
import { OrderPage } from "./OrderPage";

const id = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const draw = () => render(<OrderPage id={id} orderKey={location.hash.slice(1)} />, document.getElementById("page")!);
addEventListener("hashchange", draw);
draw();
