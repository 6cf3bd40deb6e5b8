import { Top } from "../look/Top";
import { coupons as words } from "../messages/en";

export function CouponTop({ at }: { at: "shelf" | "coupon" | "bag" }) {
  return (
    <Top>
      <nav class="ways">
        {at !== "shelf" && <a href="/coupons">{words.shelfLink}</a>}
        {at !== "bag" && <a href="/coupons/bag">{words.bagLink}</a>}
      </nav>
    </Top>
  );
}
