import { coupons as words } from "../messages/en";
import { CouponTop } from "./CouponTop";
import { TakeForm } from "./TakeForm";

/** Where the link of a coupon that somebody passed on leads. */
export function TakePage({ code }: { code: string }) {
  const text = code === "" ? words.take.noCode : words.take;
  return (
    <>
      <CouponTop at="coupon" />
      <main class="coupons">
        <h1>{text.heading}</h1>
        <p class="lead">{text.lead}</p>
        <section class="card box">
          <TakeForm code={code} />
        </section>
      </main>
    </>
  );
}
