import { soldIn } from "../api/coupons";
import type { Order } from "../api/documents";
import { Collect } from "../coupons/Collect";
import { coupons as words } from "../messages/en";

/** Whether an order is one of coupons. Where that cannot be found out the tickets are as good, and the bag's page asks for all orders. */
export async function ofCoupons(order: Promise<Order>): Promise<boolean> {
  try {
    return (await soldIn((await order).performance)).length > 0;
  } catch {
    return false;
  }
}

/** Where what an order bought goes into the bag of this browser. */
export function Coupons({ order, orderKey }: { order: Order; orderKey: string }) {
  if (!order.tickets.some((ticket) => ticket.state === "valid")) return null;
  return (
    <section class="collect" aria-labelledby="collect">
      <h2 id="collect">{words.page.boughtHeading}</h2>
      <p class="note">{words.page.boughtLead}</p>
      <Collect orders={[{ id: order.id, key: orderKey }]} go={words.page.bought} see />
    </section>
  );
}
