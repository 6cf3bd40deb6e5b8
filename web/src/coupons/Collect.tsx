import { useState } from "preact/hooks";
import * as api from "../api/coupons";
import { Refusal } from "../api/http";
import { coupons as words } from "../messages/en";
import { ownBag } from "./keep";
import { wordsFor } from "./problem";

/** Of an order that bought none: most have not. */
const none = ["coupon-no-order", "order-unknown"];
/** Why an order that bought some has none for this bag. The other orders may. */
const gone = ["coupon-collected", "coupon-expired", "coupon-withdrawn", "coupon-no-ticket", "coupon-reserved"];

const focus = (way: HTMLElement | null) => way?.focus();

/** Puts the coupons that orders bought into this browser's bag. see: with the way there. */
export function Collect(props: { orders: { id: string; key: string }[]; go: string; see?: boolean; done?: () => void }) {
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState("");
  const [problem, setProblem] = useState("");
  const [got, setGot] = useState(false);
  const collect = async () => {
    setBusy(true);
    setProblem("");
    let count = 0;
    let why: Refusal | undefined;
    try {
      const bag = await ownBag();
      for (const order of props.orders) {
        try {
          count += (await api.collect(bag, order)).length;
        } catch (cause) {
          if (!(cause instanceof Refusal && [...none, ...gone].includes(cause.code))) throw cause;
          if (gone.includes(cause.code)) why = cause;
        }
      }
      if (count === 0 && why) setProblem(wordsFor(why));
      else setTold(words.bag.collected(count));
      setGot(count > 0);
      props.done?.();
    } catch (cause) {
      setProblem(wordsFor(cause));
    }
    setBusy(false);
  };
  if (props.orders.length === 0) return null;
  return (
    <>
      <button type="button" onClick={() => void collect()} disabled={busy}>
        {props.go}
      </button>
      <p class={problem ? "wrong" : "note"} role="status">
        {problem || told}
      </p>
      {props.see && got && (
        <p>
          <a ref={focus} class="button" href="/coupons/bag">
            {words.page.see}
          </a>
        </p>
      )}
    </>
  );
}
