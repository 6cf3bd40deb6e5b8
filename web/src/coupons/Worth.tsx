import type { Coupon } from "../api/documents";
import { coupons as words } from "../messages/en";
import { money } from "../messages/format";

/** What a coupon takes off, as its stub says it. */
export function Worth({ of }: { of: Coupon }) {
  return (
    <p class="worth">
      <b>{of.percent ? words.percentOff(of.percent) : amount(of, of.amount ?? 0)}</b> {words.off}
      {of.at_most ? <span class="note">{words.atMost(amount(of, of.at_most))}</span> : null}
    </p>
  );
}

/** Some minor units of a coupon's currency; no cents where there are none. */
export function amount(of: Coupon, minor: number): string {
  return money({ amount: minor, currency: of.currency }).replace(/[.,]00(?=\D*$)/, "");
}

/** A slug as people read it. */
export function named(slug: string): string {
  const text = slug.replaceAll("-", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
