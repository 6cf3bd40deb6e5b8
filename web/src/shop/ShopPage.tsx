import { useEffect, useReducer, useState } from "preact/hooks";
import { payment } from "../api/booking";
import { Countdown } from "../look/Countdown";
import { Dialog } from "../look/Dialog";
import { Top } from "../look/Top";
import { common, shop as words } from "../messages/en";
import { keptOrders, orderAddress } from "../order/keep";
import { Basket } from "./Basket";
import { Checkout } from "./Checkout";
import { Shop } from "./model";
import { Paid } from "./Paid";
import { Picker } from "./Picker";
import type { Show } from "./show";
import { Tiers } from "./Tiers";

export function ShopPage({ saleId }: { saleId: string }) {
  const shop = useShop(saleId);
  const [asking, ask] = useState(false);
  if (shop.closed) return <Closed shop={shop} why={shop.closed} />;
  return (
    <>
      <Top>
        <div class="turn">
          {shop.admission && (
            <Countdown clock={shop.clock} to={shop.admission.session.ends_at}>
              {(ms) => <span class="note">{words.sessionEnds(ms)}</span>}
            </Countdown>
          )}
          <button type="button" onClick={() => ask(true)} disabled={!shop.admission || shop.busy}>
            {words.leave}
          </button>
        </div>
      </Top>
      <main class="shop">
        {shop.show ? <Selling shop={shop} show={shop.show} /> : <Starting shop={shop} />}
        <Earlier saleId={saleId} />
      </main>
      {asking && (
        <Dialog
          title={words.leaveAsk.heading}
          no={words.leaveAsk.stay}
          yes={words.leaveAsk.go}
          onNo={() => ask(false)}
          onYes={() => {
            ask(false);
            void shop.leave();
          }}
        >
          <p class="note">{words.leaveAsk.lead}</p>
          {shop.hold && <p class="note">{words.leaveAsk.held}</p>}
        </Dialog>
      )}
    </>
  );
}

function useShop(saleId: string): Shop {
  const [, changed] = useReducer((n: number, _action: void) => n + 1, 0);
  const [shop] = useState(() => new Shop(saleId, () => changed()));
  useEffect(() => {
    const timer = setInterval(() => shop.tick(), 1000);
    const wake = () => document.visibilityState === "visible" && shop.wake();
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    addEventListener("pageshow", wake);
    const heart = new Worker(new URL("./heartbeat.ts", import.meta.url), { type: "module" });
    heart.onmessage = () => shop.beat();
    return () => {
      heart.terminate();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", wake);
      removeEventListener("online", wake);
      removeEventListener("pageshow", wake);
    };
  }, [shop]);
  return shop;
}

function Starting({ shop }: { shop: Shop }) {
  return (
    <p class="note" role="status">
      {shop.problem || common.loading}
    </p>
  );
}

function Selling({ shop, show }: { shop: Shop; show: Show }) {
  useEffect(() => {
    void payment(show.performance.id).catch(() => undefined); // asked before it is needed: the form does not move then
  }, [show.performance.id]);
  if (shop.step === "paid" && shop.order) return <Paid shop={shop} order={shop.order} />;
  if (shop.step === "pay" && shop.hold) return <Checkout shop={shop} show={show} hold={shop.hold} />;
  return (
    <>
      <Heading shop={shop} show={show} />
      <div class="floor">
        {show.performance.rows.length > 0 && <Picker shop={shop} show={show} />}
        <div class="side">
          <Basket shop={shop} show={show} />
          <Tiers shop={shop} show={show} />
        </div>
      </div>
    </>
  );
}

function Heading({ shop, show }: { shop: Shop; show: Show }) {
  const { performance } = show;
  return (
    <div class="heading">
      <div>
        <h1>{performance.title}</h1>
        <p class="note">{`${performance.venue} · ${words.startsAt(performance.starts_at)}`}</p>
      </div>
      {shop.shows.length > 1 && (
        <label>
          {words.performance}
          <select value={performance.id} disabled={shop.busy || shop.hold !== undefined} onChange={(event) => void shop.choose(event.currentTarget.value)}>
            {shop.shows.map((each) => (
              <option key={each.id} value={each.id}>
                {words.startsAt(each.starts_at)}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

function Earlier({ saleId }: { saleId: string }) {
  const orders = keptOrders(saleId);
  if (orders.length === 0) return null;
  return (
    <section class="earlier">
      <h2>{words.earlier}</h2>
      <ul>
        {orders.map((order) => (
          <li key={order.id}>
            <a href={orderAddress(order)}>{words.order(order.at)}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Closed({ shop, why }: { shop: Shop; why: NonNullable<Shop["closed"]> }) {
  const text = words.closed[why];
  return (
    <>
      <Top />
      <main class="shop">
        <section class="pay card" role="alert">
          <h1>{text.heading}</h1>
          <p>{text.lead}</p>
          <p>
            <a class="button primary" href={`/sales/${encodeURIComponent(shop.saleId)}`}>
              {words.closed.back}
            </a>
          </p>
        </section>
        <Earlier saleId={shop.saleId} />
      </main>
    </>
  );
}
