import { useEffect, useState } from "preact/hooks";
import type { Category, Entry, Sale } from "../api/documents";
import { listing, search } from "../api/guide";
import { sales } from "../api/line";
import { soon as again, useAsking } from "../look/asking";
import { common, home as words } from "../messages/en";
import { keptOrders, orderAddress } from "../order/keep";
import { Cards } from "./Card";
import { HomeTop } from "./HomeTop";
import { radius, whereabouts } from "./near";
import { SearchBox } from "./SearchBox";

/** How many of a kind the front page shows. */
const some = 12;
const few = 6;

interface On {
  sales: Sale[];
  popular: Entry[];
  categories: Category[];
}

/** The ways into each line, and what is on. What nobody answers for is left out, and asked for again. */
export function HomePage() {
  const [on, setOn] = useState<On>();
  const [problem, setProblem] = useState(false);
  useAsking(async (over) => {
    // Together, so that nothing moves when the second comes.
    const [lines, listed] = await Promise.allSettled([sales(), listing()]);
    if (over()) return;
    const lost = lines.status === "rejected" || listed.status === "rejected";
    setProblem(lost);
    if (lines.status === "rejected" && listed.status === "rejected") return again;
    const told = listed.status === "fulfilled" ? listed.value : { events: [], categories: [] };
    setOn({ sales: lines.status === "fulfilled" ? lines.value : [], popular: told.events, categories: told.categories });
    return lost ? again : undefined;
  }, []);
  const used = new Set(on?.popular.map((each) => each.category));
  return (
    <>
      <HomeTop />
      <main class="home">
        <h1>{words.heading}</h1>
        <SearchBox text="" find={(text) => location.assign(text === "" ? "/search" : `/search?q=${encodeURIComponent(text)}`)} />
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem ? common.offline : on ? "" : common.loading}
        </p>
        {on && (
          <>
            <Sales of={on.sales} />
            <Orders />
            {on.popular.length > 0 && (
              <section aria-labelledby="popular">
                <h2 id="popular">{words.popular}</h2>
                <ul class="kinds" aria-label={words.categories}>
                  {on.categories
                    .filter((each) => used.has(each.id))
                    .map((each) => (
                      <li key={each.id}>
                        <a class="button" href={`/search?category=${encodeURIComponent(each.id)}`}>
                          {each.name}
                        </a>
                      </li>
                    ))}
                  <li>
                    <a class="button" href="/search">
                      {words.all}
                    </a>
                  </li>
                </ul>
                <Cards of={on.popular.slice(0, some)} level="h3" />
              </section>
            )}
            {on.popular.length > 0 && <Near />}
            {on.popular.length > 0 && <Soon />}
          </>
        )}
      </main>
    </>
  );
}

function Sales({ of }: { of: Sale[] }) {
  return (
    <section class="sales" aria-labelledby="sales">
      <h2 id="sales">{words.sales}</h2>
      <p class="note">{of.length > 0 ? words.lead : words.none}</p>
      <ul>
        {of.map(({ status, title, safety_net }) => (
          <li key={status.id}>
            <a href={`/sales/${encodeURIComponent(status.id)}`}>
              <div class="sign">
                <h3 dir="auto">{title}</h3>
              </div>
              <div class="when">
                <span class="phase">{status.paused ? words.paused : safety_net && status.entrants > 0 ? words.busy(status.entrants) : words.phase[status.phase]}</span>
                {(status.phase === "lobby" || status.phase === "drawing") && <span class="note">{words.opens(status.opens_at)}</span>}
              </div>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Orders() {
  const [kept] = useState(() => keptOrders());
  if (kept.length === 0) return null;
  return (
    <section aria-labelledby="orders">
      <h2 id="orders">{words.orders}</h2>
      <ul>
        {kept.map((order) => (
          <li key={order.id}>
            <a class="line" href={orderAddress(order)}>
              {words.order(order.at)}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** It is the last of the page: coming late it moves nothing. */
function Soon() {
  const [found, setFound] = useState<Entry[]>([]);
  useEffect(() => {
    search({ order: "soonest" }, few).then((all) => setFound(all.entries), () => {}); // what is popular is told without
  }, []);
  if (found.length === 0) return null;
  return (
    <section aria-labelledby="soon">
      <h2 id="soon">{words.soon}</h2>
      <Cards of={found} level="h3" />
      <p>
        <a class="button" href="/search?order=soonest">
          {words.all}
        </a>
      </p>
    </section>
  );
}

function Near() {
  const [found, setFound] = useState<{ at: string; events: Entry[] }>();
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState("");
  const look = async () => {
    setBusy(true);
    setTold("");
    const at = await whereabouts();
    if (at === undefined) setTold(words.nearRefused);
    else {
      try {
        const { entries } = await search({ near: at, radius: String(radius), order: "popular" }, few);
        setFound({ at, events: entries });
        if (entries.length === 0) setTold(words.nearNone);
      } catch {
        setTold(common.offline);
      }
    }
    setBusy(false);
  };
  return (
    <section aria-labelledby="near">
      <h2 id="near">{words.near}</h2>
      {!found?.events.length && (
        <p>
          <button type="button" onClick={() => void look()} disabled={busy}>
            {words.nearGo}
          </button>
        </p>
      )}
      <p class="note told" role="status">
        {told || (found ? "" : words.nearNote)}
      </p>
      {found && found.events.length > 0 && (
        <>
          <Cards of={found.events} level="h3" />
          <p>
            <a class="button" href={`/search?near=${found.at}&radius=${radius}&order=popular`}>
              {words.all}
            </a>
          </p>
        </>
      )}
    </section>
  );
}
