import { useState } from "preact/hooks";
import { order as fetchOrder, paper, performance as fetchPerformance, receipt as fetchReceipt, remind, reminder as fetchReminder } from "../api/booking";
import type { Order, Performance, Receipt, Ticket } from "../api/documents";
import { final } from "../api/refusal";
import { useAct } from "../look/act";
import { useAsking } from "../look/asking";
import { Reminders } from "../look/Reminders";
import { save } from "../look/save";
import { Top } from "../look/Top";
import { common, reminder, order as words } from "../messages/en";
import { moment, money } from "../messages/format";
import { Bill } from "./Bill";
import { Hands } from "../transfer/Hands";
import { Change } from "./Change";
import { Coupons, ofCoupons } from "./Coupons";
import { Exchanging, Give } from "./Exchanging";
import { keptExchange } from "./keep";

const pause = 2_000; // while the payment is pending, or without an answer

export function OrderPage({ id, orderKey }: { id: string; orderKey: string }) {
  const [order, setOrder] = useState<Order>();
  const [show, setShow] = useState<Performance>();
  const [receipt, setReceipt] = useState<Receipt>();
  const [coupons, setCoupons] = useState(false);
  const [refused, setRefused] = useState(false);
  const [offline, setOffline] = useState(false);
  const [given, give] = useState(() => keptExchange(id)?.tickets);
  const again = useAsking(async (over) => {
    if (orderKey === "") return;
    try {
      // All at once, so that nothing moves when the last comes. Without the receipt the tickets are as good.
      const asked = fetchOrder(id, orderKey);
      const [found, bill, bought] = await Promise.all([asked, fetchReceipt(id, orderKey).catch((cause) => (final(cause) ? null : undefined)), ofCoupons(asked)]);
      if (over()) return;
      setOrder(found);
      setCoupons(bought);
      setReceipt(found.state === "pending" || bill === null ? undefined : bill);
      setOffline(false);
      // Without the show's name the tickets are as good.
      fetchPerformance(found.performance).then(setShow, () => {});
      return found.state === "pending" || bill === undefined ? pause : undefined;
    } catch (cause) {
      if (over()) return;
      if (final(cause)) return void setRefused(true);
      setOffline(true);
      return pause;
    }
  }, [id, orderKey]);

  if (orderKey === "") return <Message {...words.noKey} />;
  if (refused) return <Message {...words.refused} />;
  if (order && given) {
    const over = () => {
      give(undefined);
      again();
    };
    return <Exchanging order={order} orderKey={orderKey} tickets={given} onOver={over} />;
  }
  return (
    <>
      <Top>
        <button type="button" onClick={() => printOnly("tickets")} disabled={!order}>
          {words.print}
        </button>
      </Top>
      <main class="order">
        {offline && (
          <p class="wrong" role="status">
            {common.offline}
          </p>
        )}
        {order ? <Paper order={order} show={show} /> : <p class="note">{common.loading}</p>}
        {order?.tickets.some((ticket) => ticket.state === "valid") && <Take id={id} orderKey={orderKey} />}
        {order && coupons && <Coupons order={order} orderKey={orderKey} />}
        {receipt && <Bill receipt={receipt} onPrint={() => printOnly("receipt")} />}
        {order?.state === "paid" && <Hands id={id} orderKey={orderKey} place={(ticket) => placeOf(order, show, ticket)} onChanged={again} />}
        {receipt && <Give receipt={receipt} onGive={give} />}
        {receipt && (
          <Change
            receipt={receipt}
            orderKey={orderKey}
            onChanged={(bill) => {
              setReceipt(bill);
              again();
            }}
            onStale={again}
          />
        )}
        {order?.tickets.some((ticket) => ticket.state === "valid") && (
          <Reminders lead={reminder.order} load={() => fetchReminder(id, orderKey)} save={(days) => remind(id, orderKey, days)} seek={location.search === "?reminder"} />
        )}
        {order && (
          <p class="note line">
            <a href={`/sales/${encodeURIComponent(order.sale)}/receipt`}>{words.line}</a>
          </p>
        )}
        {order && <p class="note keep">{words.keep}</p>}
      </main>
    </>
  );
}

/** Of a ticket: its seat, or the name of its tier. */
function placeOf(order: Order, show: Performance | undefined, id: string): string {
  const found = order.tickets.find((each) => each.id === id);
  return found?.label || show?.tiers.find((each) => each.id === found?.tier)?.name || order.id;
}

/** The browser's own way of printing has both. */
function printOnly(part: "tickets" | "receipt"): void {
  document.documentElement.dataset.print = part;
  addEventListener("afterprint", () => delete document.documentElement.dataset.print, { once: true });
  print();
}

function Paper({ order, show }: { order: Order; show: Performance | undefined }) {
  return (
    <>
      <h1>{words.heading}</h1>
      <dl class="facts">
        <Fact name={words.number} value={order.id} />
        <Fact name={words.sentTo} value={order.email} />
        <Fact name={words.total} value={`${money(order.total)} · ${words.state[order.state]}`} />
      </dl>
      <p class="note">{words.placed(order.created_at)}</p>
      {order.state === "pending" && <p role="status">{words.pending}</p>}
      <h2 class="count">{words.tickets(order.tickets.length)}</h2>
      <ul class="tickets">
        {order.tickets.map((ticket) => (
          <li key={ticket.id}>
            <Stub ticket={ticket} show={show} />
          </li>
        ))}
      </ul>
    </>
  );
}

/** The tickets in other forms. */
function Take({ id, orderKey }: { id: string; orderKey: string }) {
  const { busy, problem, act } = useAct(() => undefined, words.unloaded);
  const take = (file: "tickets.pdf" | "calendar.ics") => act(async () => save(await paper(id, orderKey, file), file));
  return (
    <section class="take">
      <a class="button primary" href={`/tickets/${encodeURIComponent(id)}#${orderKey}`}>
        {words.phone}
      </a>
      <button type="button" disabled={busy} onClick={() => take("tickets.pdf")}>
        {words.pdf}
      </button>
      <button type="button" disabled={busy} onClick={() => take("calendar.ics")}>
        {words.calendar}
      </button>
      <p class="wrong" role="status">
        {problem}
      </p>
    </section>
  );
}

function Fact(props: { name: string; value: string }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

function Stub({ ticket, show }: { ticket: Ticket; show: Performance | undefined }) {
  const tier = show?.tiers.find((each) => each.id === ticket.tier)?.name ?? ticket.tier;
  const valid = ticket.state === "valid";
  const why = ticket.state === "valid" ? undefined : words.ticket[ticket.state];
  return (
    <article class={`ticket ${ticket.state}`} data-ticket={ticket.state}>
      <div class="front">
        <p class="eyebrow">{words.ticket.admit}</p>
        <h3>{show?.title ?? "\u00a0"}</h3>
        <p>{show ? show.venue : "\u00a0"}</p>
        <p>{show ? moment(show.starts_at) : "\u00a0"}</p>
        <p class="label">{ticket.label || tier}</p>
        {ticket.label && <p class="note">{tier}</p>}
        {ticket.name && <p dir="auto">{ticket.name}</p>}
        {why && <p class="wrong">{why}</p>}
      </div>
      {valid && (
        <div class="stub">
          {/* An image of its own: what is in the SVG can neither run nor reach the page. */}
          <img src={`data:image/svg+xml,${encodeURIComponent(ticket.qr)}`} alt={words.ticket.qr(ticket.label || tier)} width={176} height={176} />
          <p class="code">{ticket.code}</p>
        </div>
      )}
    </article>
  );
}

function Message(props: { heading: string; lead: string }) {
  return (
    <>
      <Top />
      <main class="order">
        <h1>{props.heading}</h1>
        <p>{props.lead}</p>
        <p>
          <a class="button" href="/">
            {words.sales}
          </a>
        </p>
      </main>
    </>
  );
}
