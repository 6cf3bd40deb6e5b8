import { useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { BagCoupon } from "../api/documents";
import { Refusal } from "../api/http";
import { usePages } from "../look/pages";
import { common, coupons as words } from "../messages/en";
import { keptOrders } from "../order/keep";
import { Collect } from "./Collect";
import { CouponTop } from "./CouponTop";
import { bagAddress, keepBag, keptBag } from "./keep";
import { Piece } from "./Piece";
import { TakeForm } from "./TakeForm";

/** How often the page looks whether a till has used a coupon; not while it is out of sight. */
const every = 10_000;

/** bagKey: of the bag to show; empty if this browser has none yet. */
export function BagPage({ bagKey }: { bagKey: string }) {
  const [refused, setRefused] = useState(false);
  const key = bagKey || keptBag(); // it may have got one since
  const { list, problem, look, more } = usePages<BagCoupon>(
    async (cursor) => {
      if (key === "") return { list: [], next: undefined };
      const got = await api.bag(key, cursor);
      return { list: got.coupons, next: got.next };
    },
    [key],
    {
      again: () => (key === "" ? undefined : every),
      refused: (cause) => {
        const is = cause instanceof Refusal && cause.status === 401;
        if (is) setRefused(true);
        return is;
      },
    },
  );

  if (refused) {
    return (
      <>
        <CouponTop at="bag" />
        <main class="coupons">
          <h1>{words.bag.refused.heading}</h1>
          <p>{words.bag.refused.lead}</p>
        </main>
      </>
    );
  }
  const own = key !== "" && key === keptBag();
  return (
    <>
      <CouponTop at="bag" />
      <main class="coupons">
        <h1>{words.bag.heading}</h1>
        {key !== "" && !own && <Other bagKey={key} adopted={look} />}
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (list === undefined ? common.loading : list.length > 0 ? "" : key === "" ? words.bag.noneHere : words.bag.empty)}
        </p>
        {list?.length === 0 && (
          <p>
            <a class="button primary" href="/coupons">
              {words.bag.look}
            </a>
          </p>
        )}
        <ul class="shelf">
          {list?.map((copy) => (
            <li key={`${copy.coupon.id}.${copy.number}`}>
              <Piece copy={copy} bagKey={key} />
            </li>
          ))}
        </ul>
        {more && (
          <button type="button" onClick={more}>
            {words.bag.more}
          </button>
        )}
        {(own || key === "") && list !== undefined && (
          <>
            <section class="card box">
              <h2>{words.bag.add}</h2>
              <TakeForm done={look} />
            </section>
            {keptOrders().length > 0 && (
              <section class="card box">
                <h2>{words.bag.collect}</h2>
                <p class="note">{words.bag.collectLead}</p>
                <Collect orders={keptOrders()} go={words.bag.collectGo} done={look} />
              </section>
            )}
          </>
        )}
        {own && list !== undefined && (
          <section class="card box">
            <h2>{words.bag.keep}</h2>
            <p class="note">{words.bag.keepLead}</p>
            <Link address={bagAddress(key)} />
          </section>
        )}
      </main>
    </>
  );
}

/** A bag that was opened by its link. It is kept here only if its fan says so: else anybody could put their own in place of somebody's. */
function Other({ bagKey, adopted }: { bagKey: string; adopted: () => void }) {
  const none = keptBag() === "";
  return (
    <section class="card box">
      <p>{none ? words.bag.otherNone : words.bag.other}</p>
      <div class="acts">
        <button
          type="button"
          onClick={() => {
            keepBag(bagKey);
            adopted();
          }}
        >
          {words.bag.adopt}
        </button>
      </div>
      {!none && <p class="note">{words.bag.adoptNote}</p>}
    </section>
  );
}

function Link({ address }: { address: string }) {
  const [told, setTold] = useState("");
  const whole = location.origin + address;
  const copy = () => navigator.clipboard?.writeText(whole).then(() => setTold(words.bag.copied), () => {});
  return (
    <>
      <div class="acts">
        <a class="button" href={address}>
          {words.bag.keepLink}
        </a>
        {/* Missing on plain http other than localhost. */}
        {navigator.clipboard && (
          <button type="button" onClick={() => void copy()}>
            {words.bag.copy}
          </button>
        )}
      </div>
      <p class="note" role="status">
        {told}
      </p>
    </>
  );
}
