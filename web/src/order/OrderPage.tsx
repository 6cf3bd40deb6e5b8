import { useEffect, useState } from "preact/hooks";
import { order as fetchOrder, performance as fetchPerformance } from "../api/booking";
import type { Order, Performance, Ticket } from "../api/documents";
import { Refusal } from "../api/http";
import { Top } from "../look/Top";
import { common, order as words } from "../messages/en";
import { moment, money } from "../messages/format";

const again = 2_000; // while the payment is pending, or without an answer

export function OrderPage({ id, orderKey }: { id: string; orderKey: string }) {
  const [order, setOrder] = useState<Order>();
  const [show, setShow] = useState<Performance>();
  const [refused, setRefused] = useState(false);
  const [offline, setOffline] = useState(false);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const look = async () => {
      let pending = true;
      try {
        const found = await fetchOrder(id, orderKey);
        if (stopped) return;
        setOrder(found);
        setOffline(false);
        pending = found.state === "pending";
        // Without the show's name the tickets are as good.
        fetchPerformance(found.performance).then(setShow, () => {});
      } catch (cause) {
        if (stopped) return;
        const final = cause instanceof Refusal && cause.status < 500 && cause.status !== 429;
        if (final) return setRefused(true);
        setOffline(true);
      }
      if (pending) timer = setTimeout(() => void look(), again);
    };
    if (orderKey !== "") void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [id, orderKey]);

  if (orderKey === "") return <Message {...words.noKey} />;
  if (refused) return <Message {...words.refused} />;
  return (
    <>
      <Top>
        <button type="button" onClick={() => print()} disabled={!order}>
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
      </main>
    </>
  );
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
      <h2>{words.tickets(order.tickets.length)}</h2>
      <ul class="tickets">
        {order.tickets.map((ticket) => (
          <li key={ticket.id}>
            <Stub ticket={ticket} show={show} />
          </li>
        ))}
      </ul>
      <p class="note keep">{words.keep}</p>
    </>
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
