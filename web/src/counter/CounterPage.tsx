import { useEffect, useState } from "preact/hooks";
import type { Tier } from "../api/documents";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, counter as words, shop as shopWords } from "../messages/en";
import { SeatList } from "../shop/SeatList";
import { SeatMap } from "../shop/SeatMap";
import { TierLine } from "../shop/Tiers";
import { Counter } from "./model";
import { Order } from "./Order";
import { Sale } from "./Sale";
import { Takings } from "./Takings";

export function CounterPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [counter] = useState(() => new Counter(() => redraw((n) => n + 1)));
  useEffect(() => void counter.start(signInKey), []);
  if (!isOpen(counter)) return <Door of={counter} page="shop counter" words={words.signIn} />;
  const { show } = counter;
  return (
    <>
      <Top>
        <span class="note who">{counter.desk && words.who(counter.desk.who)}</span>
        <button type="button" onClick={() => void counter.leave()} disabled={counter.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="counter" staff={counter.staff === "yes"} />
      <main class="shop counter">
        <div class="heading">
          <h1>{words.heading}</h1>
          <p class={counter.live ? "note" : "wrong"}>{show ? (counter.live ? words.live : words.late) : common.loading}</p>
        </div>
        {counter.shows?.length === 0 && <p>{words.none}</p>}
        {!show && <p class="wrong">{counter.problem}</p>}
        {show && (
          <>
            <Choices counter={counter} />
            <div class="floor">
              <div class="side stock">
                <Stock counter={counter} />
                {show.chart.seats.length > 0 && <Seats counter={counter} />}
              </div>
              <div class="side">
                <Sale counter={counter} />
                <Order counter={counter} />
                <Takings counter={counter} />
              </div>
            </div>
          </>
        )}
      </main>
    </>
  );
}

/** Which performance, and what of it is sold. */
function Choices({ counter }: { counter: Counter }) {
  return (
    <div class="choices">
      <label>
        {words.performance}
        <select value={counter.performance} onChange={(event) => void counter.choose(event.currentTarget.value)} disabled={counter.busy || counter.open !== undefined}>
          {counter.shows!.map((each) => (
            <option key={each.id} value={each.id}>
              {words.listing(each.title, each.starts_at)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {words.from}
        <select value={counter.reserve} onChange={(event) => counter.sellFrom(event.currentTarget.value)} disabled={counter.busy || counter.hold !== undefined}>
          <option value="">{words.onSale}</option>
          {counter.desk!.reserves.map((each) => (
            <option key={each.name} value={each.name}>
              {words.reserve(each.name)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Stock({ counter }: { counter: Counter }) {
  const tiers = counter.show!.performance.tiers;
  const shown = counter.reserve === "" ? tiers : tiers.filter((tier) => counter.left(tier.id).kept > 0);
  return (
    <section class="tiers card" aria-labelledby="stock">
      <h2 id="stock">{words.tiers}</h2>
      <ul>
        {shown.map((tier) => (
          <Take key={tier.id} counter={counter} tier={tier} index={tiers.indexOf(tier)} />
        ))}
      </ul>
    </section>
  );
}

/** A number and Enter: what is held next is one key away. */
function Take({ counter, tier, index }: { counter: Counter; tier: Tier; index: number }) {
  const { free, kept } = counter.left(tier.id);
  const best = tier.kind === "seated" && counter.reserve === "";
  const take = (form: HTMLFormElement) => void counter.take({ tiers: [{ tier: tier.id, quantity: Number(new FormData(form).get("quantity")) }] });
  return (
    <TierLine tier={tier} index={index} left={counter.reserve === "" ? shopWords.tiers.left(free, 0) : words.kept(kept)} take={take}>
      <input
        name="quantity"
        type="number"
        inputMode="numeric"
        min={1}
        max={100}
        required
        defaultValue="1"
        aria-label={words.quantity(tier.name)}
        onFocus={(event) => event.currentTarget.select()}
      />
      <button type="submit" aria-label={best ? words.bestFor(tier.name) : words.takeFor(tier.name)} disabled={counter.busy || counter.hold !== undefined || counter.open !== undefined}>
        {best ? words.best : words.take}
      </button>
    </TierLine>
  );
}

function Seats({ counter }: { counter: Counter }) {
  const [list, setList] = useState(false);
  const show = counter.show!;
  return (
    <section class="picker card" aria-labelledby="seats">
      <div class="bar">
        <h2 id="seats">{words.seats}</h2>
        <div class="switch" role="group" aria-label={shopWords.view.label}>
          <button type="button" aria-pressed={!list} onClick={() => setList(false)}>
            {shopWords.view.map}
          </button>
          <button type="button" aria-pressed={list} onClick={() => setList(true)}>
            {shopWords.view.list}
          </button>
        </div>
      </div>
      {list ? <SeatList shop={counter} show={show} /> : <SeatMap shop={counter} show={show} />}
      <div class="acts">
        <button type="button" onClick={() => counter.clear()} disabled={counter.busy || counter.picked.size === 0}>
          {words.clear}
        </button>
        <button type="button" class="primary" onClick={() => void counter.takePicked()} disabled={counter.busy || counter.picked.size === 0 || counter.hold !== undefined}>
          {words.takePicked(counter.picked.size)}
        </button>
      </div>
    </section>
  );
}
