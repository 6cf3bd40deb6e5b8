import type { Hold, Money } from "../api/documents";
import { Countdown } from "../look/Countdown";
import { coupons, shop as words } from "../messages/en";
import { clock as span, money } from "../messages/format";
import type { Shop } from "./model";
import { seatName } from "./name";
import { Problem } from "./Problem";
import type { Show } from "./show";

export function Basket({ shop, show }: { shop: Shop; show: Show }) {
  return (
    <section class={`basket card ${shop.hold || shop.picked.size > 0 ? "full" : ""}`} aria-labelledby="basket">
      <h2 id="basket">{words.basket.heading}</h2>
      {shop.hold ? <Held shop={shop} show={show} hold={shop.hold} /> : <Picked shop={shop} show={show} />}
      <Problem text={shop.problem} />
      <p class="note" role="status">
        {shop.notice}
      </p>
    </section>
  );
}

function Picked({ shop, show }: { shop: Shop; show: Show }) {
  const seats = show.chart.seats.filter((seat) => shop.picked.has(seat.unit));
  if (seats.length === 0) return <p class="note">{`${words.basket.empty} ${words.basket.limit(shop.limit)}`}</p>;
  const prices = seats.map((seat) => show.performance.tiers[seat.tier]!.price);
  return (
    <>
      <p role="status">{words.basket.picked(seats.length)}</p>
      <ul class="lines">
        {seats.map((seat, i) => (
          <li key={seat.unit}>
            <span>{seatName(seat)}</span>
            <span>{money(prices[i]!)}</span>
          </li>
        ))}
      </ul>
      <Total of={{ amount: prices.reduce((sum, price) => sum + price.amount, 0), currency: prices[0]!.currency }} />
      <div class="acts">
        <button type="button" onClick={() => shop.clear()} disabled={shop.busy}>
          {words.basket.clear}
        </button>
        <button type="button" class="primary" onClick={() => void shop.takePicked()} disabled={shop.busy}>
          {words.basket.hold(seats.length)}
        </button>
      </div>
    </>
  );
}

function Held({ shop, show, hold }: { shop: Shop; show: Show; hold: Hold }) {
  return (
    <>
      <p>{words.basket.held(hold.units.length)}</p>
      <HoldClock shop={shop} hold={hold} />
      <Lines show={show} hold={hold} />
      <ToPay hold={hold} />
      <div class="acts">
        {hold.extensions_left > 0 && (
          <button type="button" onClick={() => void shop.extend()} disabled={shop.busy}>
            {words.basket.extend}
          </button>
        )}
        <button type="button" onClick={() => void shop.drop()} disabled={shop.busy}>
          {words.basket.drop}
        </button>
        <button type="button" class="primary" onClick={() => shop.go("pay")} disabled={shop.busy}>
          {words.basket.checkout}
        </button>
      </div>
    </>
  );
}

export function HoldClock({ shop, hold }: { shop: Pick<Shop, "clock">; hold: Hold }) {
  return (
    <Countdown clock={shop.clock} to={hold.expires_at}>
      {(ms) => (
        <p class={`clock ${ms < 60_000 ? "hurry" : ""}`}>
          {words.basket.remaining} <b>{span(ms)}</b>
          {/* A screen reader hears each of the last minutes, not each second. */}
          <span class="unseen" role="status">
            {ms > 0 && ms < 180_000 ? words.basket.soon(Math.ceil(ms / 60_000)) : ""}
          </span>
        </p>
      )}
    </Countdown>
  );
}

export function Lines({ show, hold }: { show: Show | undefined; hold: Hold }) {
  const nameOf = (unit: number) => {
    const seat = show?.chart.seats.find((each) => each.unit === unit);
    return seat && seatName(seat);
  };
  return (
    <ul class="lines">
      {hold.lines.map((line) => (
        <li key={line.unit}>
          <span>{nameOf(line.unit) ?? line.label}</span>
          <span>{money(line.price)}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is to pay, and what it would be without the coupon. */
export function ToPay({ hold }: { hold: Hold }) {
  const off = hold.coupon && hold.coupon.problem === undefined ? hold.coupon : undefined;
  return (
    <>
      {off && (
        <ul class="lines lowered">
          <li>
            <span>{coupons.pay.before}</span>
            <span>{money({ amount: hold.total.amount + off.discount.amount, currency: hold.total.currency })}</span>
          </li>
          <li>
            <span dir="auto">{off.title}</span>
            <span>{money({ amount: -off.discount.amount, currency: off.discount.currency })}</span>
          </li>
        </ul>
      )}
      <Total of={hold.total} />
    </>
  );
}

export function Total(props: { of: Money }) {
  return (
    <p class="total">
      <span>{words.basket.total}</span>
      <b>{money(props.of)}</b>
    </p>
  );
}
