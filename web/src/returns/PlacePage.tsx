import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { performance as fetchPerformance } from "../api/booking";
import type { Performance, Returned } from "../api/documents";
import { final } from "../api/refusal";
import * as api from "../api/returns";
import { LineClock } from "../line/clock";
import { soon, useAsking } from "../look/asking";
import { Countdown } from "../look/Countdown";
import { Dialog } from "../look/Dialog";
import { Top } from "../look/Top";
import { common, returns as words } from "../messages/en";
import { clock as span, moment, money } from "../messages/format";
import { problemOf, unanswered } from "../messages/problem";
import { keptOrders, orderAddress } from "../order/keep";
import { lastAttempt } from "../shop/attempt";
import { Total } from "../shop/Basket";
import { Checkout } from "../shop/Checkout";
import { dropPlace } from "./keep";
import { Offer } from "./offer";

/** Who is next soon hears of an offer; who stands far behind is asked for at this pace, in ms. */
const later = 15_000;
const near = 20;

export function PlacePage({ id, placeKey }: { id: string; placeKey: string }) {
  const [place, setPlace] = useState<Returned>();
  const [show, setShow] = useState<Performance>();
  const [refused, setRefused] = useState(false);
  const [lost, setLost] = useState("");
  const [problem, setProblem] = useState("");
  const [asking, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const [offer, setOffer] = useState<Offer>();
  const [, changed] = useReducer((n: number, _action: void) => n + 1, 0);
  const clock = useRef(new LineClock()).current;

  const again = useAsking(
    async (over) => {
      if (placeKey === "") return;
      try {
        const found = await api.place(id, placeKey);
        if (over()) return;
        clock.hear(found.date);
        setPlace(found.place);
        setLost("");
        if (["bought", "lapsed", "left", "closed"].includes(found.place.state)) return void dropPlace(id);
        return found.place.state !== "waiting" || (found.place.ahead ?? 0) < near ? soon : later;
      } catch (cause) {
        if (over()) return;
        if (final(cause)) return void setRefused(true);
        setLost(unanswered(cause));
        return later;
      }
    },
    [id, placeKey],
    true, // for the title, which says when there is an offer
  );
  useEffect(() => {
    if (place) fetchPerformance(place.performance).then(setShow, () => {}); // without its name the place is as good
  }, [place?.performance]);

  const act = async (action: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setProblem("");
    try {
      await action();
    } catch (cause) {
      setProblem(problemOf(cause, (refusal) => (refusal.code === "offer-over" ? words.problem.over : undefined)));
      again();
    }
    setBusy(false);
  };
  const claim = () =>
    act(async () => {
      const pass = place!.offer!.pass;
      const hold = await api.claim(id, pass);
      setOffer(new Offer(hold, pass, clock, () => changed(), () => {
        setOffer(undefined);
        again();
      }));
    });
  useEffect(() => {
    if (place?.state === "claimed" && place.offer && !offer && lastAttempt(place.offer.hold)) void claim(); // back from the bank
  }, [place?.state, place?.offer?.hold]);
  const leave = () =>
    act(async () => {
      await api.leave(id, placeKey);
      again();
    });

  if (placeKey === "") return <Message {...words.noKey} />;
  if (refused) return <Message {...words.refused} />;
  if (offer?.order) {
    const key = offer.order.key ?? keptOrders().find((kept) => kept.id === offer.order!.id)?.key ?? "";
    return (
      <Message {...words.bought} href={orderAddress({ id: offer.order.id, key })} link={words.bought.see} />
    );
  }
  if (offer) {
    return (
      <>
        <Top />
        <main class="returns">
          <Checkout shop={offer} hold={offer.hold} says={{ back: words.offered.back }} />
        </main>
      </>
    );
  }
  if (place && place.state in words.over) {
    return <Message {...words.over[place.state as keyof typeof words.over]} href={`/sales/${encodeURIComponent(place.sale)}/returns`} link={words.again} />;
  }
  return (
    <>
      <Top>
        <button type="button" onClick={() => ask(true)} disabled={!place || busy}>
          {words.place.leave}
        </button>
      </Top>
      <main class="returns">
        {!place && !lost && <p class="note">{common.loading}</p>}
        {place && (place.offer ? <Offered place={place} clock={clock} busy={busy} claim={() => void claim()} /> : <Waiting place={place} />)}
        {place && <About place={place} show={show} />}
        <p class="wrong" role="alert">
          {problem || lost}
        </p>
      </main>
      {asking && (
        <Dialog
          title={words.place.leaveAsk.heading}
          no={words.place.leaveAsk.stay}
          yes={words.place.leaveAsk.go}
          onNo={() => ask(false)}
          onYes={() => {
            ask(false);
            void leave();
          }}
        >
          <p class="note">{place?.offer ? words.place.leaveAsk.offered : words.place.leaveAsk.lead}</p>
        </Dialog>
      )}
    </>
  );
}

/** What somebody waits for. */
function About({ place, show }: { place: Returned; show: Performance | undefined }) {
  const tier = show?.tiers.find((each) => each.id === place.tier)?.name ?? "";
  return (
    <section class="card">
      <p>
        <b>{show?.title ?? "\u00a0"}</b>
        <br />
        <span class="note">{show ? moment(show.starts_at) : "\u00a0"}</span>
      </p>
      <p>{words.place.wish(place.quantity, tier, place.together)}</p>
      <p class="note">{words.place.joined(place.joined_at)}</p>
      <p class="note">{words.place.keep}</p>
    </section>
  );
}

function Waiting({ place }: { place: Returned }) {
  const ahead = place.ahead ?? 0;
  return (
    <section aria-live="polite" data-place={place.state}>
      <h1>{words.place.waiting}</h1>
      <p class="stand">{ahead === 0 ? words.place.next : words.place.ahead(ahead)}</p>
      <p>{words.place.stay}</p>
      {place.quantity > 1 && <p class="note">{words.place.larger}</p>}
    </section>
  );
}

function Offered(props: { place: Returned; clock: LineClock; busy: boolean; claim: () => void }) {
  const offer = props.place.offer!;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const before = document.title;
    button.current?.focus();
    return () => {
      document.title = before;
    };
  }, [offer.hold]);
  return (
    <section class="card" data-place={props.place.state}>
      <h1>{words.offered.heading}</h1>
      <p role="status">{words.offered.lead}</p>
      <Countdown clock={props.clock} to={offer.expires_at}>
        {(ms) => {
          document.title = words.offered.title(ms);
          return (
            <p class={`clock ${ms < 60_000 ? "hurry" : ""}`}>
              {words.offered.left} <b>{span(ms)}</b>
              <span class="unseen" role="status">
                {ms > 0 && ms < 180_000 ? words.offered.soon(Math.ceil(ms / 60_000)) : ""}
              </span>
            </p>
          );
        }}
      </Countdown>
      <ul class="lines">
        {offer.lines.map((line) => (
          <li key={line.unit}>
            <span dir="auto">{line.label}</span>
            <span>{money(line.price)}</span>
          </li>
        ))}
      </ul>
      <Total of={offer.total} />
      <div class="acts">
        <button ref={button} type="button" class="primary" onClick={props.claim} disabled={props.busy}>
          {words.offered.claim}
        </button>
      </div>
    </section>
  );
}

function Message(props: { heading: string; lead: string; href?: string; link?: string }) {
  return (
    <>
      <Top />
      <main class="returns">
        <h1>{props.heading}</h1>
        <p>{props.lead}</p>
        {props.href && (
          <p>
            <a class="button primary" href={props.href}>
              {props.link}
            </a>
          </p>
        )}
      </main>
    </>
  );
}
