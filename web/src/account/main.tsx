// The account: /account/orders, /following, /profile, /security and /data of who is signed in; /sign-up
// and /forgot at its door. Letters lead to /account, with what they carry as the address's
// fragment, which browsers never send to a server or name as a referrer.

import { render } from "preact";
import { AccountPage } from "./AccountPage";

render(<AccountPage at={location.pathname.split("/")[2] ?? ""} />, document.getElementById("page")!);
