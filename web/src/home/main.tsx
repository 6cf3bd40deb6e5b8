// What is on: / is the front page, /search what was looked for, and events, performers,
// venues and tours have a page each. Whatever others wrote is text here, and never markup.

import { render } from "preact";
import { EventPage } from "./EventPage";
import { HomePage } from "./HomePage";
import { SearchPage } from "./SearchPage";
import { ToldPage } from "./ToldPage";

const [, part = "", id = ""] = location.pathname.split("/").map((each) => decodeURIComponent(each));
const of = { performers: "performer", venues: "venue", tours: "tour" } as const;

function page() {
  if (part === "search") return <SearchPage />;
  if (part === "events") return <EventPage id={id} />;
  if (part in of) return <ToldPage of={of[part as keyof typeof of]} id={id} />;
  return <HomePage />;
}

render(page(), document.getElementById("page")!);
