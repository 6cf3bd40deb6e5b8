import { useEffect, useRef, useState } from "preact/hooks";
import { availability, performance as fetchPerformance } from "../api/booking";
import * as api from "../api/coupons";
import type { BagCoupon, Coupon } from "../api/documents";
import { Disconnected, Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { common, coupons as words } from "../messages/en";
import { moment } from "../messages/format";
import { unanswered } from "../messages/problem";
import { keptOrders } from "../order/keep";
import { Collect } from "./Collect";
import { CouponTop } from "./CouponTop";
import { useEvent } from "./event";
import { claimFor, forgetClaim, ownBag } from "./keep";
import { wordsFor } from "./problem";
import { amount, Worth } from "./Worth";

/** How often the page asks what is left; the answer may be as old. */
const every = 10_000;

export function CouponPage({ id }: { id: string }) {
  const [coupon, setCoupon] = useState<Coupon>();
  const [missing, setMissing] = useState(false);
  const [problem, setProblem] = useState("");
  const again = useAsking(async (over) => {
    try {
      const found = await api.coupon(id);
      if (over()) return;
      setCoupon(found);
      setProblem("");
      return every;
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && [404, 422].includes(cause.status)) return void setMissing(true);
      setProblem(unanswered(cause));
      return soon;
    }
  }, [id]);
  useEffect(() => {
    if (coupon) document.title = `${coupon.title} · ${common.brand}`;
  }, [coupon?.title]);

  return (
    <>
      <CouponTop at="coupon" />
      <main class="coupons">
        {missing ? (
          <>
            <h1>{words.page.missing.heading}</h1>
            <p>{words.page.missing.lead}</p>
          </>
        ) : (
          <>
            <p class={problem ? "wrong told" : "note told"} role="status">
              {problem || (coupon ? "" : common.loading)}
            </p>
            {coupon && <Paper coupon={coupon} asked={again} />}
          </>
        )}
      </main>
    </>
  );
}

function Paper({ coupon, asked }: { coupon: Coupon; asked: () => void }) {
  const event = useEvent(coupon.event);
  const sale = event?.performances.find((each) => each.sale !== "")?.sale;
  return (
    <article class={`coupon whole ${over(coupon) === "" ? "" : "gone"}`}>
      <Worth of={coupon} />
      <div class="front">
        <h1 dir="auto">{coupon.title}</h1>
        <p dir="auto">{`${coupon.shop_name} · ${coupon.product_name}`}</p>
        {coupon.drop ? <Drop coupon={coupon} drop={coupon.drop} /> : <Claim coupon={coupon} asked={asked} />}
        <h2>{words.page.terms}</h2>
        <dl class="terms">
          <Fact name={words.page.worth} value={coupon.percent ? words.page.of.percent(coupon.percent) : words.page.of.amount(amount(coupon, coupon.amount ?? 0))} />
          {coupon.at_most ? <Fact name={words.page.atMost} value={amount(coupon, coupon.at_most)} /> : null}
          {coupon.min_spend ? <Fact name={words.page.minimum} value={amount(coupon, coupon.min_spend)} /> : null}
          <Fact name={words.page.what} value={coupon.event ? (event?.title ?? coupon.product_name) : words.page.till(coupon.product_name)} />
          <Fact name={words.page.price} value={coupon.price ? amount(coupon, coupon.price) : words.free} />
          {!coupon.drop && <Fact name={words.page.each} value={words.page.eachMost(coupon.per_person)} />}
          <Fact name={words.page.kind} value={coupon.shareable ? words.page.shareable : words.page.personal} />
          <Fact name={words.page.given} value={moment(coupon.publish_until)} />
          <Fact name={words.page.good} value={moment(coupon.expires_at) + (coupon.use_within ? words.page.within(coupon.use_within) : "")} />
        </dl>
        {coupon.event && (
          <p class="to">
            {sale && (
              <a class="button" href={`/sales/${encodeURIComponent(sale)}`}>
                {words.page.tickets}
              </a>
            )}
          </p>
        )}
      </div>
    </article>
  );
}

function Fact(props: { name: string; value: string }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd dir="auto">{props.value}</dd>
    </div>
  );
}

/** Why nobody gets this coupon any more, if that is so. */
function over(coupon: Coupon): string {
  if (coupon.state === "withdrawn") return words.page.over.withdrawn;
  if (coupon.state === "expired") return words.page.over.expired;
  if (api.clock.until(coupon.publish_until) <= 0) return words.page.over.window;
  return !coupon.drop && coupon.left === 0 ? words.page.over.none : "";
}

function Claim({ coupon, asked }: { coupon: Coupon; asked: () => void }) {
  const [got, setGot] = useState<BagCoupon>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const see = useRef<HTMLAnchorElement>(null);
  useEffect(() => see.current?.focus(), [got]);
  const why = over(coupon);
  const claim = async () => {
    if (busy) return;
    setBusy(true);
    setProblem("");
    try {
      setGot(await api.claim(await ownBag(), coupon.id, claimFor(coupon.id)));
      forgetClaim(coupon.id);
    } catch (cause) {
      setProblem(wordsFor(cause));
      if (!(cause instanceof Disconnected)) forgetClaim(coupon.id); // it was answered
    }
    setBusy(false);
    asked();
  };
  return (
    <section class="claim" data-claim={got ? "got" : why !== "" ? "over" : "open"}>
      <p>{why || words.page.counter(coupon.left ?? 0, coupon.stock)}</p>
      <div class="acts">
        {got && (
          <a ref={see} class="button primary" href="/coupons/bag">
            {words.page.see}
          </a>
        )}
        {(!got || coupon.per_person > 1) && why === "" && (
          <button type="button" class={got ? "" : "primary"} onClick={() => void claim()} disabled={busy}>
            {busy ? words.page.claiming : got ? words.page.another : words.page.claim}
          </button>
        )}
      </div>
      <p class={problem ? "wrong" : "note"} role="status">
        {problem || (got ? words.page.claimed : "")}
      </p>
    </section>
  );
}

/** A coupon that is sold as the places of a performance, behind the waiting room. */
function Drop({ coupon, drop }: { coupon: Coupon; drop: { performance: string; tier: string } }) {
  const [sale, setSale] = useState("");
  const [left, setLeft] = useState<number>();
  useEffect(() => {
    fetchPerformance(drop.performance).then((show) => setSale(show.sale), () => {});
    availability(drop.performance, undefined).then(({ body }) => setLeft(body?.tiers.find((tier) => tier.id === drop.tier)?.free), () => {});
  }, [drop.performance, coupon]);
  const why = over(coupon);
  return (
    <section class="claim" data-claim="drop">
      <p>{why || (left === undefined ? "\u00a0" : words.page.counter(left, coupon.stock))}</p>
      <p class="note">{words.page.drop}</p>
      <div class="acts">
        <a class="button primary" href={sale === "" ? "/" : `/sales/${encodeURIComponent(sale)}`}>
          {words.page.toSale}
        </a>
      </div>
      <Collect orders={keptOrders(sale)} go={words.page.bought} see />
    </section>
  );
}
