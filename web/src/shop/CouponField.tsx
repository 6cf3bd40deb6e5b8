import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { BagCoupon, Hold } from "../api/documents";
import { keptBag } from "../coupons/keep";
import { couponProblem } from "../coupons/problem";
import { amount } from "../coupons/Worth";
import { coupons as words } from "../messages/en";
import type { Shop } from "./model";

/** What a coupon can lower. */
export type Lowering = Pick<Shop, "busy" | "lower" | "raise">;

/** Lowers what is to pay: by a coupon of this browser's bag, or by the code of one. */
export function CouponField({ shop, hold }: { shop: Lowering; hold: Hold }) {
  const field = useRef<HTMLDivElement>(null);
  const first = useRef(true);
  useEffect(() => {
    // What was pressed is gone: the focus goes to what undoes it.
    if (!first.current) field.current?.querySelector<HTMLElement>("button, summary")?.focus();
    first.current = false;
  }, [hold.coupon?.coupon]);
  return <div ref={field}>{hold.coupon ? <Used shop={shop} coupon={hold.coupon} /> : <Choose shop={shop} hold={hold} />}</div>;
}

function Used({ shop, coupon }: { shop: Lowering; coupon: NonNullable<Hold["coupon"]> }) {
  const why = coupon.problem === undefined ? "" : (couponProblem(coupon.problem.replace("urn:ropeline:problem:", "")) ?? "");
  return (
    <div class="used" data-coupon={coupon.problem === undefined ? "used" : "ended"}>
      {coupon.problem !== undefined && (
        <p class="wrong" role="alert">
          {`${coupon.title}: ${why} ${words.pay.ended}`}
        </p>
      )}
      <button type="button" class="quiet" aria-label={words.pay.takeOffThis(coupon.title)} onClick={() => void shop.raise()} disabled={shop.busy}>
        {words.pay.takeOff}
      </button>
    </div>
  );
}

/** A coupon that is in the bag, and why it cannot be used here, if so. */
interface Offered {
  copy: BagCoupon;
  why: string;
}

function Choose({ shop, hold }: { shop: Lowering; hold: Hold }) {
  const [mine, setMine] = useState<Offered[]>([]);
  const [code, setCode] = useState("");
  useEffect(() => {
    offered(hold).then(setMine, () => {}); // a code can be typed all the same
  }, [hold.id, hold.total.amount]);
  const good = mine.filter((each) => each.why === "").length;
  const apply = () => {
    if (code.trim() !== "") void shop.lower(code.trim(), keptBag());
  };
  return (
    <details class="lower">
      <summary>{good > 0 ? words.pay.yours(good) : words.pay.heading}</summary>
      {mine.length > 0 && (
        <ul class="yours">
          {mine.map(({ copy, why }) => (
            <li key={`${copy.coupon.id}.${copy.number}`}>
              <span dir="auto">
                {copy.coupon.title}
                {why !== "" && <span class="note">{why}</span>}
              </span>
              {why === "" && (
                <button type="button" aria-label={words.pay.useThis(copy.coupon.title)} onClick={() => void shop.lower(copy.code!, keptBag())} disabled={shop.busy}>
                  {words.pay.use}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      <label>
        {words.pay.code}
        <input
          name="coupon"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          maxLength={64}
          value={code}
          onInput={(event) => setCode(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault(); // it is no payment
            apply();
          }}
        />
      </label>
      <button type="button" onClick={apply} disabled={shop.busy || code.trim() === ""}>
        {words.pay.apply}
      </button>
    </details>
  );
}

/** What the bag has that is not used up: what can be used here first. The core has the last word. */
async function offered(hold: Hold): Promise<Offered[]> {
  const key = keptBag();
  if (key === "") return [];
  const copies = (await api.bag(key)).coupons.filter((copy) => copy.state === "claimed");
  const events = [...new Set(copies.map((copy) => copy.coupon.event).filter((id) => id !== undefined))];
  const here = new Map<string, boolean>();
  for (const id of events) here.set(id, (await api.event(id)).performances.some((show) => show.id === hold.performance));
  const all = copies.map((copy) => ({ copy, why: whyNot(copy, hold, here) }));
  return [...all.filter((each) => each.why === ""), ...all.filter((each) => each.why !== "")];
}

function whyNot({ coupon }: BagCoupon, hold: Hold, here: Map<string, boolean>): string {
  if (coupon.event === undefined) return words.pay.till;
  if (!here.get(coupon.event) || coupon.currency !== hold.total.currency) return words.pay.elsewhere;
  return (coupon.min_spend ?? 0) > hold.total.amount ? words.pay.from(amount(coupon, coupon.min_spend!)) : "";
}
