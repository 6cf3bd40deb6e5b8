import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Tariff, Tier, TierAvailability } from "../api/documents";
import { shop as words } from "../messages/en";
import { money } from "../messages/format";
import { percent } from "../messages/percent";
import { Mark } from "./Legend";
import type { Shop } from "./model";
import type { Show } from "./show";

/** Prices, what is left, and a way to take places without choosing them. */
export function Tiers({ shop, show }: { shop: Shop; show: Show }) {
  return (
    <section class="tiers card">
      <h2>{words.tiers.heading}</h2>
      <p class="note">{allIn(show.performance.tariff)}</p>
      <ul>
        {show.performance.tiers.map((tier, index) => (
          <Take key={tier.id} shop={shop} tier={tier} index={index} />
        ))}
      </ul>
    </section>
  );
}

function allIn(tariff: Tariff): string {
  const rate = tariff.tax_rate ?? 0;
  if (!tariff.fee_rate && !tariff.fee_fixed) return rate > 0 ? words.tiers.allInOf.tax(percent(rate)) : words.tiers.allIn;
  return rate > 0 ? words.tiers.allInOf.both(percent(rate)) : words.tiers.allInOf.fee;
}

/** What is left of a tier, in words; undefined: not known yet. */
export function stockOf(tier: Tier, left: TierAvailability | undefined): string {
  const text = left ? countOf(left) : "…";
  return tier.kind === "seated" ? text : `${words.tiers.general} · ${text}`;
}

function countOf(left: TierAvailability): string {
  if (left.free > 0) return words.tiers.left(left.free, left.held);
  if (left.held > 0) return words.tiers.maybe(left.held);
  return left.closed ? words.tiers.closed : words.tiers.none;
}

function Take({ shop, tier, index }: { shop: Shop; tier: Tier; index: number }) {
  const [quantity, setQuantity] = useState(Math.min(2, shop.limit));
  const left = shop.tiers.get(tier.id);
  const seated = tier.kind === "seated";
  return (
    <TierLine tier={tier} index={index} left={stockOf(tier, left)} take={() => void shop.take({ tier: tier.id, quantity })}>
      <select aria-label={words.tiers.quantity(tier.name)} value={quantity} onChange={(event) => setQuantity(Number(event.currentTarget.value))}>
        {Array.from({ length: shop.limit }, (_, i) => (
          <option key={i} value={i + 1}>
            {i + 1}
          </option>
        ))}
      </select>
      <button
        type="submit"
        aria-label={seated ? words.tiers.bestFor(tier.name) : words.tiers.takeFor(quantity, tier.name)}
        disabled={shop.busy || shop.hold !== undefined || !left || left.free < quantity}
      >
        {seated ? words.tiers.best : words.tiers.take}
      </button>
    </TierLine>
  );
}

/** A price: what is left at it, and the form in which some of that is taken. */
export function TierLine(props: { tier: Tier; index: number; left: string; take: (form: HTMLFormElement) => void; children: ComponentChildren }) {
  return (
    <li class="tier">
      <Mark state="free" tier={props.index} />
      <p class="name">
        <b>{props.tier.name}</b>
        <span class="note">{props.left}</span>
      </p>
      <p class="price">{money(props.tier.price)}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          props.take(event.currentTarget);
        }}
      >
        {props.children}
      </form>
    </li>
  );
}
