import { useRef, useState } from "preact/hooks";
import { availability, performance as fetchPerformance } from "../api/booking";
import type { Availability, Performance, ReturnsLists } from "../api/documents";
import { Refusal } from "../api/http";
import * as line from "../api/line";
import { Once } from "../api/once";
import * as api from "../api/returns";
import { soon, useAsking } from "../look/asking";
import { Top } from "../look/Top";
import { common, returns as words } from "../messages/en";
import { moment, money } from "../messages/format";
import { problemOf, unanswered } from "../messages/problem";
import { keepPlace, keptPlaces, placeAddress } from "./keep";

interface Show {
  performance: Performance;
  left: Availability | undefined;
  lists: ReturnsLists;
}

/** Where one joins the list of a sale that is sold out. */
export function JoinPage({ saleId }: { saleId: string }) {
  const [shows, setShows] = useState<Show[]>();
  const [problem, setProblem] = useState("");
  useAsking(async (over) => {
    try {
      const { performances } = await line.sale(saleId);
      const found = await Promise.all(performances.map(showOf));
      if (over()) return;
      setShows(found);
      setProblem("");
      return;
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 404) return void setShows([]);
      setProblem(unanswered(cause));
      return soon;
    }
  }, [saleId]);
  return (
    <>
      <Top />
      <main class="returns">
        <h1>{shows?.length === 0 ? words.missing.heading : words.join.heading}</h1>
        <p>{shows?.length === 0 ? words.missing.lead : words.join.lead}</p>
        <p class="wrong" role="status">
          {problem}
        </p>
        {!shows && !problem && <p class="note">{common.loading}</p>}
        {shows && shows.length > 0 && <Form saleId={saleId} shows={shows} />}
        <Kept saleId={saleId} />
      </main>
    </>
  );
}

async function showOf(id: string): Promise<Show> {
  const [performance, { body: left }, lists] = await Promise.all([fetchPerformance(id), availability(id, undefined), api.lists(id)]);
  return { performance, left, lists };
}

function Form({ saleId, shows }: { saleId: string; shows: Show[] }) {
  const [at, choose] = useState(0);
  const show = shows[at]!;
  const { tiers } = show.performance;
  const [tier, setTier] = useState("");
  const [quantity, setQuantity] = useState(Math.min(2, show.lists.most));
  const [together, setTogether] = useState(true);
  const [email, setEmail] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const once = useRef(new Once()).current;
  const open = (id: string) => show.lists.lists.some((list) => list.tier === id) || (taken(show, id) && held(show, id) === 0);
  const wanted = tiers.find((each) => each.id === tier && open(each.id)) ?? tiers.find((each) => open(each.id));

  const submit = async (event: Event) => {
    event.preventDefault();
    if (!wanted || busy) return;
    if (!/^[^\s@]+@[^\s@]+$/.test(email.trim())) return setProblem(words.problem.email);
    const wish = { tier: wanted.id, quantity, together: together && wanted.kind === "seated" && quantity > 1, email: email.trim() };
    setBusy(true);
    setProblem("");
    try {
      const place = await api.join(show.performance.id, wish, once.key(JSON.stringify([show.performance.id, wish])));
      const kept = { id: place.id, key: place.key ?? "", sale: saleId, performance: place.performance };
      keepPlace(kept);
      location.assign(placeAddress(kept));
    } catch (cause) {
      setProblem(problemOf(cause, (refusal) => known[refusal.code]));
      setBusy(false);
    }
  };

  return (
    <form class="card join" onSubmit={(event) => void submit(event)} noValidate>
      {shows.length > 1 ? (
        <label>
          {words.join.performance}
          <select value={at} onChange={(event) => choose(Number(event.currentTarget.value))}>
            {shows.map(({ performance }, i) => (
              <option key={performance.id} value={i}>{`${performance.title}, ${moment(performance.starts_at)}`}</option>
            ))}
          </select>
        </label>
      ) : (
        <p>
          <b>{show.performance.title}</b>
          <br />
          <span class="note">{moment(show.performance.starts_at)}</span>
        </p>
      )}
      <fieldset class="wishes">
        <legend>{words.join.what}</legend>
        {tiers.map((each) => (
          <label key={each.id}>
            <input type="radio" name="tier" value={each.id} disabled={!open(each.id)} checked={each === wanted} onChange={() => setTier(each.id)} />
            <span dir="auto">{each.name}</span>
            <span>{money(each.price)}</span>
            <span class="note">{said(show, each.id, open(each.id))}</span>
          </label>
        ))}
      </fieldset>
      {wanted ? (
        <>
          <label>
            {words.join.quantity}
            <select value={quantity} onChange={(event) => setQuantity(Number(event.currentTarget.value))}>
              {Array.from({ length: show.lists.most }, (_, i) => i + 1).map((n) => (
                <option key={n} value={n}>
                  {words.join.tickets(n)}
                </option>
              ))}
            </select>
          </label>
          {wanted.kind === "seated" && (
            <label class="row">
              <input type="checkbox" checked={together} disabled={quantity < 2} onChange={(event) => setTogether(event.currentTarget.checked)} />
              <span>{words.join.together}</span>
            </label>
          )}
          <label>
            {words.join.email}
            <input type="email" name="email" autocomplete="email" required value={email} aria-describedby="once wrong" onInput={(event) => setEmail(event.currentTarget.value)} />
            <span class="note" id="once">
              {words.join.once}
            </span>
          </label>
          <p class="note">{words.join.window(show.lists.window)}</p>
        </>
      ) : (
        <p>{words.join.nothing}</p>
      )}
      <p class="wrong" id="wrong" role="alert">
        {problem}
      </p>
      <div class="acts">
        <a class="button" href={`/sales/${encodeURIComponent(saleId)}`}>
          {words.join.toLine}
        </a>
        {wanted && (
          <button type="submit" class="primary" disabled={busy}>
            {busy ? words.join.going : words.join.go}
          </button>
        )}
      </div>
    </form>
  );
}

const leftOf = (show: Show, tier: string) => show.left?.tiers.find((each) => each.id === tier);
const taken = (show: Show, tier: string) => leftOf(show, tier)?.free === 0;
const held = (show: Show, tier: string) => leftOf(show, tier)?.held ?? 0;

function said(show: Show, tier: string, open: boolean): string {
  const free = leftOf(show, tier)?.free ?? 0;
  if (open) return words.join.waiting(show.lists.lists.find((list) => list.tier === tier)?.waiting ?? 0);
  return free > 0 ? words.join.onSale(free) : words.join.held(held(show, tier));
}

function Kept({ saleId }: { saleId: string }) {
  const kept = keptPlaces(saleId);
  if (kept.length === 0) return null;
  return (
    <section class="card">
      <h2>{words.join.yours}</h2>
      <ul>
        {kept.map((place) => (
          <li key={place.id}>
            <a href={placeAddress(place)}>{words.join.see}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

const known: Record<string, string> = {
  "email-invalid": words.problem.email,
  "returns-joined": words.problem.joined,
  "returns-not-sold-out": words.problem.notSoldOut,
  "returns-full": words.problem.full,
  "returns-closed": words.over.closed.heading,
  "place-limit": words.problem.limit,
};
