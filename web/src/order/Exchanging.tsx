import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { ExchangeQuote, Order, Receipt, Tier } from "../api/documents";
import { Top } from "../look/Top";
import { common, order, shop as shopWords } from "../messages/en";
import { moment, money } from "../messages/format";
import { Lines } from "../shop/Basket";
import { Checkout } from "../shop/Checkout";
import { Picker } from "../shop/Picker";
import { Problem } from "../shop/Problem";
import type { Show } from "../shop/show";
import { stockOf, TierLine } from "../shop/Tiers";
import { Choice, total } from "./Choice";
import { Exchange } from "./exchange";
import { keptExchange, orderAddress } from "./keep";

const words = order.exchange;

/** Where tickets are chosen for an exchange, or one is gone on with. */
export function Give({ receipt, onGive }: { receipt: Receipt; onGive: (tickets: string[]) => void }) {
  const valid = receipt.lines.filter((line) => line.state === "valid");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(valid.length === 1 ? [valid[0]!.ticket] : []));
  const [problem, setProblem] = useState("");
  const picked = valid.filter((line) => chosen.has(line.ticket)).map((line) => line.ticket);
  const sum = (amount: number) => money({ amount, currency: receipt.currency });
  const until = receipt.exchange_until;
  const open = until !== undefined && Date.parse(until) > Date.now();
  const kept = keptExchange(receipt.order);
  if (receipt.tender !== undefined || valid.length === 0) return null;
  return (
    <section class="exchange" aria-labelledby="exchange">
      <h2 id="exchange">{words.heading}</h2>
      <p class="note">{until === undefined ? words.never : open ? words.until(until) : words.over(until)}</p>
      {kept && (
        <>
          <p>{words.waits}</p>
          <div class="acts">
            <button type="button" onClick={() => onGive(kept.tickets)}>
              {words.goOn}
            </button>
          </div>
        </>
      )}
      {!kept && open && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setProblem(picked.length === 0 ? order.change.none : "");
            if (picked.length > 0) onGive(picked);
          }}
        >
          <Choice
            lines={valid}
            chosen={chosen}
            choose={(tickets) => {
              setChosen(tickets);
              setProblem("");
            }}
            said={(lines) => words.paid(sum(total(lines, (line) => line.paid)))}
          />
          <div class="acts">
            <button type="submit">{words.act}</button>
          </div>
          <p class="wrong" role="alert">
            {problem}
          </p>
        </form>
      )}
    </section>
  );
}

/** The exchange itself, in place of the order: other places, what they come to, and the end. */
export function Exchanging(props: { order: Order; orderKey: string; tickets: string[]; onOver: () => void }) {
  const exchange = useExchange(props);
  const { made, hold, quote, show } = exchange;
  return (
    <>
      <Top />
      <main class="shop">
        {made ? (
          <Done exchange={exchange} made={made} />
        ) : exchange.returning ? (
          <section class="pay card">
            <p class={exchange.problem ? "wrong" : "note"} role="status">
              {exchange.problem || common.loading}
            </p>
            <Leave exchange={exchange} text={words.done.old} />
          </section>
        ) : hold && quote ? (
          <Checkout shop={exchange} show={show} hold={hold} says={saysOf(quote)} known>
            <Comes exchange={exchange} quote={quote} />
          </Checkout>
        ) : (
          <Places exchange={exchange} />
        )}
      </main>
    </>
  );
}

function useExchange(props: { order: Order; orderKey: string; tickets: string[]; onOver: () => void }): Exchange {
  const [, changed] = useReducer((n: number, _action: void) => n + 1, 0);
  const [exchange] = useState(() => new Exchange(props.order, props.orderKey, props.tickets, () => changed(), props.onOver));
  useEffect(() => {
    exchange.tick();
    const timer = setInterval(() => exchange.tick(), 1000);
    return () => clearInterval(timer);
  }, [exchange]);
  return exchange;
}

/** The same heading each time: the focus is there when what is below it is new. */
function Heading({ text }: { text: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {text}
    </h1>
  );
}

function Leave({ exchange, text }: { exchange: Exchange; text: string }) {
  return (
    <div class="acts">
      <button type="button" onClick={() => exchange.leave()} disabled={exchange.busy}>
        {text}
      </button>
    </div>
  );
}

function Places({ exchange }: { exchange: Exchange }) {
  const { shows, show, tickets } = exchange;
  return (
    <>
      <div class="heading">
        <div>
          <Heading text={words.heads(tickets.length)} />
          <p class="note">{words.lead(tickets.length)}</p>
        </div>
        {shows && show && shows.length > 1 && (
          <label>
            {words.performance}
            <select value={show.performance.id} disabled={exchange.busy} onChange={(event) => exchange.choose(event.currentTarget.value)}>
              {shows.map((each) => (
                <option key={each.id} value={each.id}>
                  {shopWords.startsAt(each.starts_at)}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      {!show && (
        <p class={exchange.stale ? "wrong" : "note"} role="status">
          {shows ? words.nothing : exchange.stale ? common.offline : common.loading}
        </p>
      )}
      {show ? <Floor key={show.performance.id} exchange={exchange} show={show} /> : <Leave exchange={exchange} text={words.keep} />}
    </>
  );
}

function Floor({ exchange, show }: { exchange: Exchange; show: Show }) {
  const wanted = exchange.tickets.length;
  const seats = show.chart.seats.length > 0;
  return (
    <div class="floor">
      {seats && <Picker shop={exchange} show={show} />}
      <div class="side">
        <section class={`basket card ${exchange.picked.size > 0 ? "full" : ""}`}>
          <p role="status">{words.picked(exchange.picked.size, wanted)}</p>
          <Problem text={exchange.problem} />
          <div class="acts">
            <button type="button" onClick={() => exchange.leave()} disabled={exchange.busy}>
              {words.keep}
            </button>
            {seats && (
              <button type="button" class="primary" onClick={() => void exchange.takePicked()} disabled={exchange.busy || exchange.picked.size !== wanted}>
                {words.see}
              </button>
            )}
          </div>
        </section>
        <section class="tiers card">
          <h2>{shopWords.tiers.heading}</h2>
          <ul>
            {show.performance.tiers.map((tier, index) => (
              <Take key={tier.id} exchange={exchange} tier={tier} index={index} />
            ))}
          </ul>
        </section>
      </div>
    </div>
  );
}

function Take({ exchange, tier, index }: { exchange: Exchange; tier: Tier; index: number }) {
  const quantity = exchange.tickets.length;
  const left = exchange.tiers.get(tier.id);
  const says = tier.kind === "seated" ? words.best : words.standing;
  return (
    <TierLine tier={tier} index={index} left={stockOf(tier, left)} take={() => void exchange.take({ tier: tier.id, quantity })}>
      <button type="submit" disabled={exchange.busy || !left || left.free < quantity}>
        {says(quantity, tier.name)}
      </button>
    </TierLine>
  );
}

const saysOf = (quote: ExchangeQuote) => ({
  heading: words.pay.heading,
  back: words.pay.other,
  free: words.pay.free,
  nothing: quote.refund > 0 ? words.pay.returns : words.pay.nothing,
});

/** The new places, what the old tickets are worth, and the difference. */
function Comes({ exchange, quote }: { exchange: Exchange; quote: ExchangeQuote }) {
  const given = exchange.tickets.length;
  const sum = (amount: number) => money({ amount, currency: quote.currency });
  const { show } = exchange;
  return (
    <>
      {show && <p class="note">{`${show.performance.title}, ${moment(show.performance.starts_at)}`}</p>}
      <Lines show={show} hold={exchange.hold!} />
      <ul class="lines lowered">
        <li>
          <span>
            {words.pay.worth(given)}
            {quote.fee > 0 && <span class="note">{words.pay.kept(sum(quote.fee))}</span>}
          </span>
          <span>{sum(-quote.worth)}</span>
        </li>
      </ul>
      <p class="total">
        <span>{quote.to_pay > 0 ? words.pay.toPay : quote.refund > 0 ? words.pay.back : words.pay.even}</span>
        <b>{sum(quote.to_pay || quote.refund)}</b>
      </p>
      <p class="note">{words.pay.final(given)}</p>
    </>
  );
}

function Done({ exchange, made }: { exchange: Exchange; made: Order }) {
  const { currency, refund } = exchange.quote!;
  return (
    <section class="pay card">
      <Heading text={words.done.heading} />
      <p>{made.state === "paid" ? words.done.lead(made.tickets.length) : words.done.pending}</p>
      {refund > 0 && <p>{words.done.back(money({ amount: refund, currency }))}</p>}
      <p>
        <a class="button primary" href={orderAddress({ id: made.id, key: made.key ?? "" })}>
          {words.done.see}
        </a>
      </p>
      <p class="note">{words.done.keep}</p>
      <Leave exchange={exchange} text={words.done.old} />
    </section>
  );
}
