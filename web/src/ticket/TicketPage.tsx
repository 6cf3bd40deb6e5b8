import { useEffect, useRef, useState } from "preact/hooks";
import { passes } from "../api/booking";
import type { Pass } from "../api/documents";
import { picture } from "../api/guide";
import { final } from "../api/refusal";
import { LineClock } from "../line/clock";
import { useAsking } from "../look/asking";
import { Top } from "../look/Top";
import { common, ticket as words } from "../messages/en";
import { useAwake } from "./awake";
import { Hands } from "../transfer/Hands";
import { Code, Square } from "./Code";
import { erase, type Known, keep, known, read } from "./known";
import { clockNote, givingNote } from "./notes";
import { Offer, GiveBack } from "./Offer";
import { keepPage } from "./offline";

const every = 20_000; // what is known is asked for anew, by which a ticket says that it was used
const soon = 5_000; // without an answer

const pictureWidth = 480;

export function TicketPage({ id, orderKey }: { id: string; orderKey: string }) {
  const clock = useRef(new LineClock()).current;
  const [has, setHas] = useState<Known>();
  const [refused, setRefused] = useState(false);
  const [offline, setOffline] = useState(false);
  const [kept, setKept] = useState<boolean>();
  useAwake();

  useEffect(() => {
    void read(id).then((old) => {
      if (!old) return;
      setHas((now) => {
        if (now) return now; // the server was faster
        clock.hear(new Date(Date.now() + old.ahead).toISOString());
        return old;
      });
    });
  }, [id]);

  const again = useAsking(
    async (over) => {
      if (orderKey === "") return;
      try {
        const answer = await passes(id, orderKey);
        clock.hear(answer.now);
        const told = await known(answer, clock.now() - Date.now());
        if (over()) return;
        setHas(told);
        setOffline(false);
        const [data, page] = await Promise.all([keep(told), keepPage(answer.for.picture && picture(answer.for.picture, pictureWidth))]);
        if (!over()) setKept(data && page);
        return every;
      } catch (cause) {
        if (over()) return;
        if (final(cause)) {
          await erase(id);
          setHas(undefined);
          return void setRefused(true);
        }
        setOffline(true);
        return soon;
      }
    },
    [id, orderKey],
  );
  useEffect(() => {
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);

  if (orderKey === "" && !has) return <Message {...words.noKey} />;
  if (refused) return <Message {...words.refused} />;
  return (
    <>
      <Top>{has && !has.told.offer && <a href={`/orders/${encodeURIComponent(id)}#${orderKey}`}>{words.order}</a>}</Top>
      <main class="passes">
        <h1 class="unseen">{words.heading}</h1>
        {has ? <Tickets has={has} now={() => clock.now()} /> : <p class="note">{offline ? common.offline : common.loading}</p>}
        {has?.told.offer && <Offer told={has.told} id={id} orderKey={orderKey} onChanged={again} />}
        {has?.told.offer && has.told.tickets.some((each) => each.state !== "canceled") && (
          <Hands key={has.told.tickets[0]!.state} id={id} orderKey={orderKey} place={() => has.told.tickets[0]!.label || has.told.tickets[0]!.tier} onChanged={again}>
            {({ return_until }) =>
              has.told.tickets[0]!.state === "valid" && return_until !== undefined && Date.parse(return_until) > Date.now() ? (
                <GiveBack until={return_until} id={id} orderKey={orderKey} onChanged={again} />
              ) : null
            }
          </Hands>
        )}
        {has && has.told.tickets.length > 0 && <Notes has={has} offline={offline} kept={kept} />}
      </main>
    </>
  );
}

function Notes({ has, offline, kept }: { has: Known; offline: boolean; kept: boolean | undefined }) {
  const [clock, giving] = [clockNote(has.ahead), givingNote(has.told)];
  const keeps = kept === undefined ? words.keeping : kept ? words.kept : words.unkept;
  return (
    <section class="notes">
      {clock && <p class="note">{clock}</p>}
      <p class="note">{words.bright}</p>
      <p class="note">{words.warning}</p>
      {giving && <p class="note">{giving}</p>}
      {/* The last: its text changes, and moves nothing. */}
      <p class={offline ? "wrong" : "note"} role="status">
        {offline ? words.offline(Date.parse(has.told.now) - has.ahead) : keeps}
      </p>
    </section>
  );
}

/** One at a time, as large as the screen is: a door wants one code. */
function Tickets({ has, now }: { has: Known; now: () => number }) {
  const [at, setAt] = useState(0);
  const begun = useRef<number | undefined>(undefined);
  const all = has.told.tickets;
  const go = (by: number) => setAt((old) => Math.min(Math.max(old + by, 0), all.length - 1));
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowRight") go(1);
      if (event.key === "ArrowLeft") go(-1);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [all.length]);
  const ticket = all[Math.min(at, all.length - 1)];
  if (!ticket) return null;
  return (
    <section
      class="carry"
      onTouchStart={(event) => (begun.current = event.touches.length === 1 ? event.touches[0]!.clientX : undefined)}
      onTouchEnd={(event) => {
        const moved = begun.current === undefined ? 0 : event.changedTouches[0]!.clientX - begun.current;
        if (Math.abs(moved) > 50) go(moved < 0 ? 1 : -1);
      }}
    >
      <Ticket key={ticket.id} ticket={ticket} has={has} now={now} />
      {all.length > 1 && (
        <nav class="steps">
          <button type="button" disabled={at === 0} onClick={() => go(-1)} aria-label={words.before}>
            ‹
          </button>
          <p aria-live="polite">{words.of(at + 1, all.length)}</p>
          <button type="button" disabled={at === all.length - 1} onClick={() => go(1)} aria-label={words.next}>
            ›
          </button>
        </nav>
      )}
    </section>
  );
}

function Ticket({ ticket, has, now }: { ticket: Omit<Pass, "key">; has: Known; now: () => number }) {
  const show = has.told.for;
  const place = ticket.label || ticket.tier;
  return (
    <article class="pass" data-ticket={ticket.state}>
      {show.picture && <img class="picture" src={picture(show.picture, pictureWidth)} alt="" width={480} height={160} />}
      <div class="face">
        <Shown ticket={ticket} signer={has.keys[ticket.id]} now={now} place={place} />
      </div>
      <div class="facts">
        {ticket.used && <p class="used">{words.used(ticket.used.at, ticket.used.door, show.time_zone)}</p>}
        <p class="seat" dir="auto">
          {place}
        </p>
        {ticket.label && <p dir="auto">{ticket.tier}</p>}
        {ticket.name && <p dir="auto">{ticket.name}</p>}
        <h2 dir="auto">{show.title}</h2>
        {show.state !== "postponed" && <p>{words.starts(show.starts_at, show.time_zone)}</p>}
        {show.state !== "postponed" && <p class="note">{words.place}</p>}
        {show.state !== "scheduled" && <p class="wrong">{words.show[show.state]}</p>}
        {show.doors_at && show.state === "scheduled" && <p>{words.doors(show.doors_at, show.time_zone)}</p>}
        <p dir="auto">{[show.venue, ...(show.address ?? "").split("\n"), show.city].filter(Boolean).join(", ")}</p>
      </div>
    </article>
  );
}

/** What the scanner looks at. */
function Shown(props: { ticket: Omit<Pass, "key">; signer: CryptoKey | undefined; now: () => number; place: string }) {
  const { ticket, signer, now, place } = props;
  if (ticket.state !== "valid") return <p class="why">{words.state[ticket.state]}</p>;
  if (signer && ticket.key_id) return <Code signer={signer} of={{ ticket: ticket.id, issue: ticket.issue, key_id: ticket.key_id }} now={now} label={words.code(place)} />;
  if (ticket.code) return <Square text={ticket.code} label={words.printed(place)} />;
  return <p class="why">{words.state.gone}</p>;
}

function Message(props: { heading: string; lead: string }) {
  return (
    <>
      <Top />
      <main class="passes">
        <h1>{props.heading}</h1>
        <p>{props.lead}</p>
      </main>
    </>
  );
}
