import { useRef, useState } from "preact/hooks";
import { availability, performance as fetchPerformance } from "../api/booking";
import type { ListedEvent, Performance, PlayedShow, TierAvailability } from "../api/documents";
import { Refusal } from "../api/http";
import * as line from "../api/line";
import { soon, useAsking } from "../look/asking";
import { home } from "../messages/en";
import { moment, money, timeOfDay } from "../messages/format";
import { localHour, localMoment, sameClock } from "../messages/local";
import { Day } from "./Day";

const words = home.event;

/** How often it is asked what is left, in ms: whoever has the answer already is not sent it again. */
const every = 5_000;
/** After it began, an evening is not over at once. */
const lasts = 6 * 3_600_000;
/** Of so many shows it is asked what is left; others are told where they are sold. */
const watched = 12;

/** A performance, and its event where others stand beside it. */
export interface Listed {
  show: PlayedShow;
  event?: ListedEvent;
}

/** All dates, those to come first. live: with what is left. at: the venue that all are in. */
export function Shows({ of, none, live = false, at = "" }: { of: Listed[]; none: string; live?: boolean; at?: string }) {
  const [now] = useState(() => Date.now());
  const sorted = [...of].sort((a, b) => a.show.starts_at.localeCompare(b.show.starts_at));
  const over = ({ show }: Listed) => show.state === "scheduled" && Date.parse(show.starts_at) < now - lasts;
  const coming = sorted.filter((each) => !over(each));
  const gone = sorted.filter(over).reverse();
  return (
    <>
      {coming.length === 0 && <p class="note">{none}</p>}
      <ul class="shows">
        {coming.map((each, i) => (
          <Row key={each.show.id} of={each} live={live && i < watched} at={at} />
        ))}
      </ul>
      {gone.length > 0 && (
        <details class="gone">
          <summary>{words.earlier}</summary>
          <ul class="shows">
            {gone.map((each) => (
              <Row key={each.show.id} of={each} live={false} at={at} over />
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Row({ of: { show, event }, live, at, over = false }: { of: Listed; live: boolean; at: string; over?: boolean }) {
  const canceled = show.state === "canceled" || event?.state === "canceled";
  const postponed = !canceled && (show.state === "postponed" || event?.state === "postponed");
  const dated = !postponed;
  const place = [show.venue, show.city].filter(Boolean).join(", ");
  return (
    <li class={`card show ${canceled ? "off" : ""}`} data-show={canceled ? "canceled" : postponed ? "postponed" : "scheduled"}>
      {dated ? <Day at={show.starts_at} zone={show.time_zone} /> : <span class="day other">{home.postponed}</span>}
      <div class="front">
        {event && (
          <h3 dir="auto">
            <a href={`/events/${event.id}`}>{event.title}</a>
          </h3>
        )}
        <p class="at">{dated ? localMoment(show.starts_at, show.time_zone) : words.noDate}</p>
        {at !== show.venue_id && (
          <p dir="auto">
            <a href={`/venues/${show.venue_id}`}>{place}</a>
          </p>
        )}
        {canceled && <p class="wrong">{home.canceled}</p>}
        {dated && !canceled && <Times of={show} />}
        {!canceled && !postponed && !over && (live ? <Selling of={show} /> : <Sale of={show} />)}
      </div>
    </li>
  );
}

/** By the clocks of the venue, and by the reader's where those show something else. */
function Times({ of }: { of: PlayedShow }) {
  const told: string[] = [];
  if (of.doors_at) told.push(words.doors(localHour(of.doors_at, of.time_zone)));
  if (of.ends_at) told.push(words.ends(localHour(of.ends_at, of.time_zone)));
  if (!sameClock(of.starts_at, of.time_zone)) {
    if (of.city) told.push(words.zone(of.city));
    told.push(words.yours(moment(of.starts_at)));
  }
  return (
    <>
      {of.was_at && <p class="wrong">{words.wasAt(localMoment(of.was_at, of.time_zone))}</p>}
      {told.length > 0 && <p class="note">{told.join(" · ")}</p>}
    </>
  );
}

/** What is left, asked for as long as the page is looked at. */
function Selling({ of }: { of: PlayedShow }) {
  const [tiers, setTiers] = useState<TierAvailability[]>();
  const etag = useRef<string | undefined>(undefined);
  const [asOf, setAsOf] = useState<string>();
  useAsking(async (over) => {
    try {
      const answer = await availability(of.id, etag.current);
      if (over()) return;
      if (answer.body) {
        setTiers(answer.body.tiers);
        setAsOf(answer.body.as_of);
      }
      etag.current = answer.etag;
      return every;
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 404) return; // nothing is told of it yet
      return soon;
    }
  }, [of.id]);
  return (
    <>
      <p class="left" data-left={tiers ? leftOf(tiers) : ""} aria-live="polite">
        {tiers ? words.left[leftOf(tiers)] : "\u00a0"}
      </p>
      <Sale of={of} />
      <Prices of={of.id} tiers={tiers} asOf={asOf} />
    </>
  );
}

/** One in ten is few. */
export function leftOf(tiers: TierAvailability[]): "many" | "few" | "none" {
  const free = tiers.reduce((sum, tier) => sum + tier.free, 0);
  const all = tiers.reduce((sum, tier) => sum + tier.free + tier.held + tier.sold, 0);
  return free === 0 ? "none" : free * 10 <= all ? "few" : "many";
}

/** The way to where it is sold: its waiting room, which leads into the shop. */
function Sale({ of }: { of: PlayedShow }) {
  const [state, setState] = useState<{ phase: "lobby" | "drawing" | "open" | "ended"; opens: string } | "none">();
  useAsking(async (over) => {
    if (of.sale === "") return void setState("none");
    try {
      const { status } = await saleOf(of.sale);
      if (!over()) setState({ phase: status.phase, opens: status.opens_at });
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 404) return void setState("none");
      return soon;
    }
  }, [of.sale]);
  const when = state && state !== "none" && (state.phase === "lobby" || state.phase === "drawing") ? words.opens(moment(state.opens)) : "";
  return (
    <div class="way">
      {state === "none" && <p class="note">{words.notYet}</p>}
      {state && state !== "none" && state.phase === "ended" && <p class="note">{words.over}</p>}
      {state && state !== "none" && state.phase !== "ended" && (
        <>
          <a class="button primary" href={`/sales/${encodeURIComponent(of.sale)}`} aria-label={words.ticketsFor(localMoment(of.starts_at, of.time_zone))}>
            {words.tickets}
          </a>
          {when && <p class="note">{when}</p>}
        </>
      )}
    </div>
  );
}

const asked = new Map<string, ReturnType<typeof line.sale>>();

/** Shows of one sale ask once; what was not answered is asked again. */
function saleOf(id: string): ReturnType<typeof line.sale> {
  let answer = asked.get(id);
  if (!answer) {
    answer = line.sale(id);
    asked.set(id, answer);
    answer.catch(() => asked.delete(id));
  }
  return answer;
}

function Prices({ of, tiers, asOf }: { of: string; tiers: TierAvailability[] | undefined; asOf: string | undefined }) {
  const [show, setShow] = useState<Performance>();
  const open = (event: Event) => {
    if ((event.currentTarget as HTMLDetailsElement).open && !show) fetchPerformance(of).then(setShow, () => {}); // opened again, it is asked again
  };
  return (
    <details class="prices" data-free={tiers ? "known" : ""} onToggle={open}>
      <summary>{words.prices}</summary>
      {show && tiers && asOf && (
        <>
          <table>
            <thead>
              <tr>
                <th scope="col">{words.tier}</th>
                <th scope="col">{words.price}</th>
                <th scope="col">{words.free}</th>
              </tr>
            </thead>
            <tbody>
              {show.tiers.map((tier) => (
                <tr key={tier.id}>
                  <th scope="row" dir="auto">
                    {tier.name}
                  </th>
                  <td>{money(tier.price)}</td>
                  <td>{words.freeOf(tiers.find((each) => each.id === tier.id)?.free ?? 0)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p class="note">{words.asOf(timeOfDay(new Date(asOf)))}</p>
        </>
      )}
    </details>
  );
}
