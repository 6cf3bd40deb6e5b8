import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import type { Gift, MyOrder } from "../api/documents";
import { soon } from "../look/asking";
import { usePages } from "../look/pages";
import { account as words, common } from "../messages/en";
import { money } from "../messages/format";
import { localMoment } from "../messages/local";
import { signedOut, useAccountAct } from "./act";
import type { Own } from "./own";

/** What the account has bought: unused tickets first, as the server has them. */
export function Orders({ changed }: Own) {
  const { list, problem: asking, look, more } = usePages(
    async (cursor) => {
      const got = await api.orders(cursor);
      return { list: got.orders, next: got.next };
    },
    [],
    { again: (all) => (all.some((order) => order.state === "pending") ? soon : undefined), refused: signedOut(changed) },
  );
  const [gifts, setGifts] = useState<Gift[]>([]);
  useEffect(() => {
    api.gifts().then(setGifts, () => {}); // without them the orders are as good
  }, []);
  const unused = list?.filter((order) => order.unused) ?? [];
  const others = list?.filter((order) => !order.unused) ?? [];
  return (
    <>
      <h1>{words.orders.heading}</h1>
      <p class={asking ? "wrong told" : "note told"} role="status">
        {asking || (list === undefined ? common.loading : list.length === 0 ? words.orders.none : "")}
      </p>
      {list?.length === 0 && (
        <p>
          <a class="button primary" href="/">
            {words.orders.look}
          </a>
        </p>
      )}
      {gifts.length > 0 && (
        <section class="orders">
          <h2>{words.orders.gifts}</h2>
          <ul>
            {gifts.map((gift) => (
              <li key={gift.id}>
                <a class="card order" href={`/tickets/${gift.id}#${gift.key}`} data-gift={gift.good ? "good" : "gone"}>
                  <h3 dir="auto">{gift.event}</h3>
                  <p dir="auto">{[gift.venue, gift.label].filter(Boolean).join(" · ")}</p>
                  <p>{localMoment(gift.starts_at, gift.time_zone)}</p>
                  {!gift.good && <p class="note">{words.orders.gone}</p>}
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      {unused.length > 0 && <Part heading={words.orders.unused} of={unused} />}
      {others.length > 0 && <Part heading={words.orders.others} of={others} />}
      {more && (
        <button type="button" onClick={more}>
          {words.orders.more}
        </button>
      )}
      {list !== undefined && <Claim done={look} />}
    </>
  );
}

function Part({ heading, of }: { heading: string; of: MyOrder[] }) {
  return (
    <section class="orders">
      <h2>{heading}</h2>
      <ul>
        {of.map((order) => (
          <li key={order.id}>
            <a class="card order" href={`/orders/${order.id}`} data-order={order.unused ? "unused" : order.state}>
              <h3 dir="auto">{order.event}</h3>
              <p dir="auto">{order.venue}</p>
              {order.show !== "postponed" && <p>{localMoment(order.starts_at, order.time_zone)}</p>}
              {order.show !== "scheduled" && <p class="wrong">{words.orders.show[order.show]}</p>}
              <p class="facts">
                <b>{words.orders.tickets(order.tickets, order.good)}</b>
                <span>{money(order.total)}</span>
                <span>{words.orders.state[order.state]}</span>
              </p>
              <p class="note">{words.orders.bought(order.created_at)}</p>
            </a>
            {order.unused && (
              <a class="button" href={`/tickets/${order.id}`} aria-label={words.orders.carryOf(order.event)}>
                {words.orders.carry}
              </a>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What was bought without the account, with its address. */
function Claim({ done }: { done: () => void }) {
  const [told, setTold] = useState("");
  const { busy, problem, act } = useAccountAct();
  const claim = () =>
    act(async () => {
      setTold(words.orders.claimed(await api.claimOrders()));
      done();
    });
  return (
    <section class="card box">
      <h2>{words.orders.claim}</h2>
      <p class="note">{words.orders.claimLead}</p>
      <button type="button" onClick={() => void claim()} disabled={busy}>
        {words.orders.claimGo}
      </button>
      <p class={problem ? "wrong" : "note"} role="status">
        {problem || told}
      </p>
    </section>
  );
}
