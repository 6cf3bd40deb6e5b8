import { useEffect, useState } from "preact/hooks";
import type { ListedEvent } from "../api/documents";
import * as api from "../api/guide";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { common, home as words } from "../messages/en";
import { unanswered } from "../messages/problem";
import { Watch } from "./Follow";
import { HomeTop } from "./HomeTop";
import { About, Missing, Poster } from "./parts";
import { Reviews } from "./Reviews";
import { Shows } from "./Shows";

/** An event changes while somebody reads: it may be postponed. In ms. */
const every = 60_000;

export function EventPage({ id }: { id: string }) {
  const [event, setEvent] = useState<ListedEvent>();
  const [missing, setMissing] = useState(false);
  const [problem, setProblem] = useState("");
  useAsking(async (over) => {
    try {
      const found = await api.event(id);
      if (over()) return;
      setEvent(found);
      setProblem("");
      return every;
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && [404, 410, 422].includes(cause.status)) return void setMissing(true);
      setProblem(unanswered(cause));
      return soon;
    }
  }, [id]);
  useEffect(() => {
    if (event) document.title = `${event.title} · ${common.brand}`;
  }, [event?.title]);
  if (missing) return <Missing />;
  return (
    <>
      <HomeTop />
      <main class="home">
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (event ? "" : common.loading)}
        </p>
        {event && (
          <article>
            <Poster id={event.picture} />
            <h1 dir="auto">{event.title}</h1>
            {event.state !== "published" && <p class="state">{words.event[event.state]}</p>}
            {event.performers && event.performers.length > 0 && (
              <p class="who">
                {words.event.with}{" "}
                {event.performers.map((each, i) => (
                  <span key={each.id}>
                    {i > 0 && ", "}
                    <a dir="auto" href={`/performers/${each.id}`}>
                      {each.name}
                    </a>
                  </span>
                ))}
              </p>
            )}
            {event.tour && (
              <p class="who">
                {words.event.tour}{" "}
                <a dir="auto" href={`/tours/${event.tour.id}`}>
                  {event.tour.name}
                </a>
              </p>
            )}
            <About text={event.about} />
            {event.state === "published" && <Watch id={event.id} name={event.title} />}
            <h2>{words.event.dates}</h2>
            <Shows of={event.performances.map((show) => ({ show }))} none={words.event.none} live />
            <Reviews event={event.id} />
          </article>
        )}
      </main>
    </>
  );
}
