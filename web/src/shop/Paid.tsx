import { useEffect, useRef, useState } from "preact/hooks";
import { soldIn } from "../api/coupons";
import type { Order } from "../api/documents";
import { Collect } from "../coupons/Collect";
import { coupons, shop as words } from "../messages/en";
import { keptOrders, orderAddress } from "../order/keep";
import { useBuyer } from "./Buyer";
import type { Shop } from "./model";

export function Paid({ shop, order }: { shop: Shop; order: Order }) {
  const key = order.key ?? keptOrders().find((kept) => kept.id === order.id)?.key ?? "";
  const buyer = useBuyer();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section class="pay card">
      <h1 ref={heading} tabIndex={-1}>
        {words.paid.heading}
      </h1>
      <p>{order.state === "paid" ? words.paid.lead(order.tickets.length) : words.paid.pending}</p>
      <p>
        <a class="button primary" href={orderAddress({ id: order.id, key })}>
          {words.paid.see}
        </a>
      </p>
      {order.state === "paid" && <Coupons order={order} orderKey={key} />}
      <p class="note">{words.paid.keep}</p>
      {buyer !== "guest" && buyer && (
        <p>
          <a href="/account/orders">{words.paid.mine}</a>
        </p>
      )}
      <p class="note">{words.paid.doneNote}</p>
      <p class="wrong" role="alert">
        {shop.problem}
      </p>
      <div class="acts">
        <button type="button" onClick={() => shop.more()} disabled={shop.busy}>
          {words.paid.more}
        </button>
        <button type="button" onClick={() => void shop.leave()} disabled={shop.busy}>
          {words.paid.done}
        </button>
      </div>
    </section>
  );
}

/** Where what was bought are coupons, they go into the bag. */
function Coupons({ order, orderKey }: { order: Order; orderKey: string }) {
  const [sold, setSold] = useState(false);
  useEffect(() => {
    soldIn(order.performance).then((found) => setSold(found.length > 0), () => {});
  }, [order.performance]);
  return sold ? (
    <div class="bought">
      <Collect orders={[{ id: order.id, key: orderKey }]} go={coupons.page.bought} see />
    </div>
  ) : null;
}
