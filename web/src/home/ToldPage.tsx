import { useEffect, useState } from "preact/hooks";
import type { ListedEvent, Told } from "../api/documents";
import * as api from "../api/guide";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { common, home as words } from "../messages/en";
import { unanswered } from "../messages/problem";
import { Follow } from "./Follow";
import { HomeTop } from "./HomeTop";
import { About, Missing, Poster } from "./parts";
import { Shows } from "./Shows";

/** A performer, a venue or a tour, and all that is on of it. */
export function ToldPage({ of, id }: { of: api.Of; id: string }) {
  const [told, setTold] = useState<Told>();
  const [events, setEvents] = useState<ListedEvent[]>([]);
  const [next, setNext] = useState("");
  const [missing, setMissing] = useState(false);
  const [problem, setProblem] = useState("");
  useAsking(async (over) => {
    try {
      const [found, listed] = await Promise.all([api.told(of, id), api.eventsOf(of, id)]);
      if (over()) return;
      setTold(found);
      setEvents(listed.events);
      setNext(listed.next ?? "");
      setProblem("");
      return;
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && [404, 410, 422].includes(cause.status)) return void setMissing(true);
      setProblem(unanswered(cause));
      return soon;
    }
  }, [of, id]);
  useEffect(() => {
    if (told) document.title = `${told.name} · ${common.brand}`;
  }, [told?.name]);
  const more = async () => {
    try {
      const listed = await api.eventsOf(of, id, next);
      setEvents([...events, ...listed.events]);
      setNext(listed.next ?? "");
      setProblem("");
    } catch (cause) {
      setProblem(unanswered(cause));
    }
  };
  if (missing) return <Missing />;
  const shows = events.flatMap((event) => event.performances.filter((show) => of !== "venue" || show.venue_id === id).map((show) => ({ show, event })));
  return (
    <>
      <HomeTop />
      <main class="home">
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (told ? "" : common.loading)}
        </p>
        {told && (
          <article data-told={of}>
            <Poster id={told.picture} />
            <p class="eyebrow">{words.kind[of]}</p>
            <h1 dir="auto">{told.name}</h1>
            {of === "performer" && <Follow id={id} name={told.name} />}
            {of === "venue" && <Where of={told} />}
            <About text={told.about} />
            {told.links && told.links.length > 0 && <Links of={told.links} />}
            <h2>{words.event.dates}</h2>
            <Shows of={shows} none={words.performer.none} at={of === "venue" ? id : ""} />
            {next !== "" && (
              <button type="button" onClick={() => void more()}>
                {words.more}
              </button>
            )}
          </article>
        )}
      </main>
    </>
  );
}

function Where({ of }: { of: Told }) {
  const lines = of.address || [of.city, of.country].filter(Boolean).join(", ");
  return (
    <>
      {lines && (
        <p class="about" dir="auto">
          {lines}
        </p>
      )}
      {of.place && (
        <p>
          <a href={`https://www.openstreetmap.org/?mlat=${of.place.latitude}&mlon=${of.place.longitude}#map=16/${of.place.latitude}/${of.place.longitude}`} rel="noopener noreferrer">
            {words.venue.map}
          </a>
        </p>
      )}
    </>
  );
}

/** Where more is to be read: only addresses of the web lead anywhere. */
function Links({ of }: { of: string[] }) {
  const web = of.filter((link) => URL.canParse(link) && /^https?:$/.test(new URL(link).protocol));
  return (
    <>
      <h2>{words.performer.links}</h2>
      <ul>
        {web.map((link) => (
          <li key={link}>
            <a class="line" href={link} rel="noopener noreferrer nofollow">
              {new URL(link).host + new URL(link).pathname.replace(/\/$/, "")}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
