import { useState } from "preact/hooks";
import * as api from "../api/coupons";
import { Refusal } from "../api/http";
import { coupons as words } from "../messages/en";
import { keptOrders } from "../order/keep";
import { ownBag } from "./keep";
import { wordsFor } from "./problem";

/** Puts the coupons that this browser's orders bought, of one sale or of all, into its bag. Nothing where it has no orders. */
export function Collect(props: { sale?: string; go: string; see?: boolean; done?: () => void }) {
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState("");
  const [problem, setProblem] = useState("");
  const [got, setGot] = useState(false);
  const orders = keptOrders(props.sale);
  const collect = async () => {
    setBusy(true);
    setProblem("");
    let count = 0;
    try {
      const bag = await ownBag();
      for (const order of orders) {
        try {
          count += (await api.collect(bag, order)).length;
        } catch (cause) {
          if (!(cause instanceof Refusal && ["coupon-no-order", "order-unknown"].includes(cause.code))) throw cause;
        }
      }
      setTold(words.bag.collected(count));
      setGot(count > 0);
      props.done?.();
    } catch (cause) {
      setProblem(wordsFor(cause));
    }
    setBusy(false);
  };
  if (orders.length === 0) return null;
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
          <a class="button" href="/coupons/bag">
            {words.page.see}
          </a>
        </p>
      )}
    </>
  );
}
