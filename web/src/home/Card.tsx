import type { Entry } from "../api/documents";
import { addressOf, picture } from "../api/guide";
import { home as words } from "../messages/en";
import { money } from "../messages/format";
import { localShort } from "../messages/local";
import { Day } from "./Day";

/** What was found, each with the way to its page. */
export function Cards({ of, level }: { of: Entry[]; level: "h2" | "h3" }) {
  return (
    <ul class="cards">
      {of.map((entry) => (
        <li key={entry.kind + entry.id}>
          <Card of={entry} level={level} />
        </li>
      ))}
    </ul>
  );
}

function Card({ of, level: Heading }: { of: Entry; level: "h2" | "h3" }) {
  const { show } = of;
  return (
    <a class="card entry" href={addressOf(of)} data-kind={of.kind}>
      {show && of.state !== "postponed" ? <Day at={show.starts_at} zone={show.time_zone} /> : <span class="day other">{of.state === "postponed" ? words.postponed : words.kind[of.kind]}</span>}
      <div class="front">
        <Heading dir="auto">{of.name}</Heading>
        {of.line && of.line !== of.name && <p dir="auto">{of.line}</p>}
        {show ? (
          <>
            <p dir="auto">{[show.venue, show.city].filter(Boolean).join(", ")}</p>
            {of.state !== "postponed" && <p class="note">{localShort(show.starts_at, show.time_zone)}</p>}
            <p class="facts">
              {show.sold_out ? <b class="wrong">{words.soldOut}</b> : show.price_from && <b>{words.from(money(show.price_from))}</b>}
              {show.kilometers !== undefined && <span>{words.away(show.kilometers)}</span>}
              {of.shows > 1 && <span>{words.shows(of.shows)}</span>}
            </p>
          </>
        ) : (
          <p class="note">{words.shows(of.shows)}</p>
        )}
      </div>
      {of.picture && <img class="thumb" src={picture(of.picture, 112)} alt="" width={112} height={112} loading="lazy" decoding="async" />}
    </a>
  );
}
