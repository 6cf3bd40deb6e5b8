import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { BagCoupon } from "../api/documents";
import { Refusal } from "../api/http";
import { common, coupons as words } from "../messages/en";
import { moment } from "../messages/format";
import { keptOrders } from "../order/keep";
import { Collect } from "./Collect";
import { useEvent } from "./CouponPage";
import { CouponTop } from "./CouponTop";
import { bagAddress, keepBag, keptBag, takeAddress } from "./keep";
import { TakeForm } from "./TakeForm";
import { Worth } from "./Worth";

/** How often the page looks whether a till has used a coupon; not while it is out of sight. */
const every = 10_000;
const again = 3_000; // after no answer

/** bagKey: of the bag to show; empty if this browser has none yet. */
export function BagPage({ bagKey }: { bagKey: string }) {
  const [list, setList] = useState<BagCoupon[]>();
  const [next, setNext] = useState("");
  const [refused, setRefused] = useState(false);
  const [problem, setProblem] = useState("");
  const [looked, look] = useReducer((n: number, _action: void) => n + 1, 0);
  const pages = useRef(1);
  const key = bagKey || keptBag(); // it may have got one since

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const ask = async () => {
      clearTimeout(timer);
      let wait = every;
      try {
        const all: BagCoupon[] = [];
        let cursor = "";
        for (let page = 0; page < pages.current; page++) {
          const got = await api.bag(key, cursor);
          if (stopped) return;
          all.push(...got.coupons);
          cursor = got.next ?? "";
          if (cursor === "") break;
        }
        setList(all);
        setNext(cursor);
        setProblem("");
      } catch (cause) {
        if (stopped) return;
        if (cause instanceof Refusal && cause.status === 401) return setRefused(true);
        setProblem(cause instanceof Refusal && cause.code === "rate-limited" ? common.tooOften : common.offline);
        wait = again;
      }
      timer = setTimeout(() => document.visibilityState === "visible" && void ask(), wait * (0.9 + Math.random() * 0.2));
    };
    const seen = () => document.visibilityState === "visible" && void ask();
    if (key === "") return setList([]);
    void ask();
    document.addEventListener("visibilitychange", seen);
    return () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, looked]);

  if (refused) {
    return (
      <>
        <CouponTop at="bag" />
        <main class="coupons">
          <h1>{words.bag.refused.heading}</h1>
          <p>{words.bag.refused.lead}</p>
        </main>
      </>
    );
  }
  const own = key !== "" && key === keptBag();
  return (
    <>
      <CouponTop at="bag" />
      <main class="coupons">
        <h1>{words.bag.heading}</h1>
        {key !== "" && !own && <Other bagKey={key} adopted={() => look()} />}
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (list === undefined ? common.loading : list.length > 0 ? "" : key === "" ? words.bag.noneHere : words.bag.empty)}
        </p>
        {list?.length === 0 && (
          <p>
            <a class="button primary" href="/coupons">
              {words.bag.look}
            </a>
          </p>
        )}
        <ul class="shelf">
          {list?.map((copy) => (
            <li key={`${copy.coupon.id}.${copy.number}`}>
              <Piece copy={copy} bagKey={key} />
            </li>
          ))}
        </ul>
        {next !== "" && (
          <button
            type="button"
            onClick={() => {
              pages.current++;
              look();
            }}
          >
            {words.bag.more}
          </button>
        )}
        {(own || key === "") && list !== undefined && (
          <>
            <section class="card box">
              <h2>{words.bag.add}</h2>
              <TakeForm done={() => look()} />
            </section>
            {keptOrders().length > 0 && (
              <section class="card box">
                <h2>{words.bag.collect}</h2>
                <p class="note">{words.bag.collectLead}</p>
                <Collect orders={keptOrders()} go={words.bag.collectGo} done={() => look()} />
              </section>
            )}
          </>
        )}
        {own && list !== undefined && (
          <section class="card box">
            <h2>{words.bag.keep}</h2>
            <p class="note">{words.bag.keepLead}</p>
            <Link address={bagAddress(key)} />
          </section>
        )}
      </main>
    </>
  );
}

/** A bag that was opened by its link. It is kept here only if its fan says so: else anybody could put their own in place of somebody's. */
function Other({ bagKey, adopted }: { bagKey: string; adopted: () => void }) {
  const none = keptBag() === "";
  return (
    <section class="card box">
      <p>{none ? words.bag.otherNone : words.bag.other}</p>
      <div class="acts">
        <button
          type="button"
          onClick={() => {
            keepBag(bagKey);
            adopted();
          }}
        >
          {words.bag.adopt}
        </button>
      </div>
      {!none && <p class="note">{words.bag.adoptNote}</p>}
    </section>
  );
}

function Link({ address }: { address: string }) {
  const [told, setTold] = useState("");
  const whole = location.origin + address;
  const copy = () => navigator.clipboard?.writeText(whole).then(() => setTold(words.bag.copied), () => {});
  return (
    <>
      <div class="acts">
        <a class="button" href={address}>
          {words.bag.keepLink}
        </a>
        {/* Missing on plain http other than localhost. */}
        {navigator.clipboard && (
          <button type="button" onClick={() => void copy()}>
            {words.bag.copy}
          </button>
        )}
      </div>
      <p class="note" role="status">
        {told}
      </p>
    </>
  );
}

function Piece({ copy, bagKey }: { copy: BagCoupon; bagKey: string }) {
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
