import { useEffect, useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { BagCoupon } from "../api/documents";
import { common, coupons as words } from "../messages/en";
import { moment } from "../messages/format";
import { useEvent } from "./event";
import { takeAddress } from "./keep";
import { Worth } from "./Worth";

/** A coupon of a bag: what it is worth, its code, and what can be done with it. */
export function Piece({ copy, bagKey }: { copy: BagCoupon; bagKey: string }) {
  const { coupon, state } = copy;
  const usable = copy.code !== undefined;
  return (
    <article class={`coupon ${usable ? "" : "gone"}`} data-copy={state}>
      <Worth of={coupon} />
      <div class="front">
        <p class="eyebrow">{words.bag.state[state]}</p>
        <h2 dir="auto">{coupon.title}</h2>
        <p dir="auto">{`${coupon.shop_name} · ${coupon.product_name}`}</p>
        <p class="note">{usable ? words.bag.good(copy.expires_at) : words.bag.since(copy.since)}</p>
        {usable && <Code copy={copy} />}
        {state === "claimed" && (
          <div class="acts">
            {coupon.event && <Tickets event={coupon.event} />}
            {coupon.shareable && <Pass copy={copy} />}
          </div>
        )}
        <History copy={copy} bagKey={bagKey} />
      </div>
    </article>
  );
}

function Code({ copy }: { copy: BagCoupon }) {
  const title = copy.coupon.title;
  // Images of their own: what is in an SVG can neither run nor reach the page.
  const drawn = (svg: string) => `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return (
    <details class="shown">
      <summary>{words.bag.code}</summary>
      <div class="paper">
        <img class="qr" src={drawn(copy.qr ?? "")} alt={words.bag.qr(title)} width={220} height={220} />
        <img class="bars" src={drawn(copy.bars ?? "")} alt={words.bag.bars(title)} width={319} height={60} />
        <p class="letters">{copy.code!.match(/.{1,4}/g)!.join(" ")}</p>
      </div>
      <p class="note">{copy.coupon.shareable ? `${words.bag.show} ${words.bag.keepSecret}` : words.bag.show}</p>
    </details>
  );
}

function Tickets({ event }: { event: string }) {
  const sale = useEvent(event)?.performances.find((each) => each.sale !== "")?.sale;
  if (sale === undefined) return null;
  return (
    <a class="button" href={`/sales/${encodeURIComponent(sale)}`}>
      {words.bag.tickets}
    </a>
  );
}

function Pass({ copy }: { copy: BagCoupon }) {
  const [told, setTold] = useState("");
  const url = location.origin + takeAddress(copy.code!);
  const pass = async () => {
    const title = words.bag.passText(copy.coupon.title);
    try {
      if (navigator.share) return await navigator.share({ title, url });
      await navigator.clipboard.writeText(url);
      setTold(words.bag.passed);
    } catch (cause) {
      if (!(cause instanceof DOMException && cause.name === "AbortError")) setTold(words.bag.passBy); // neither is allowed here: there is the link itself
    }
  };
  return (
    <>
      <button type="button" onClick={() => void pass()}>
        {words.bag.pass}
      </button>
      <p class="note wide" role="status">
        {told}
      </p>
      {told !== "" && (
        <p class="wide">
          <a href={takeAddress(copy.code!)}>{url}</a>
        </p>
      )}
    </>
  );
}

/** What happened to a copy, asked for when somebody wants to know. */
function History({ copy, bagKey }: { copy: BagCoupon; bagKey: string }) {
  const [open, setOpen] = useState(false);
  const [history, setHistory] = useState<BagCoupon["history"]>();
  useEffect(() => {
    if (open) api.copy(bagKey, copy.coupon.id, copy.number).then((got) => setHistory(got.history ?? []), () => {});
  }, [open, copy.state]);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.bag.history}</summary>
      <ol class="past">
        {history?.map((line, i) => (
          <li key={i}>
            <span>{words.bag.entry[line.entry] ?? line.entry}</span>
            <span class="note">{moment(line.at)}</span>
          </li>
        ))}
      </ol>
      {!history && <p class="note">{common.loading}</p>}
    </details>
  );
}
