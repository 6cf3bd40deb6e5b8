import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { knownPayment, payment } from "../api/booking";
import type { Hold, Payment } from "../api/documents";
import { coupons, shop as words } from "../messages/en";
import { money } from "../messages/format";
import { lastAttempt } from "./attempt";
import { HoldClock, Lines, ToPay } from "./Basket";
import { Buyer, useBuyer } from "./Buyer";
import { Card } from "./Card";
import { CouponField, type Lowering } from "./CouponField";
import { type CardFields, CardRefused } from "./fields";
import type { Shop } from "./model";
import { Problem } from "./Problem";
import type { Show } from "./show";

type Method = keyof typeof words.pay.methods;
const methods = Object.keys(words.pay.methods) as Method[];

/** Where a hold is paid for: the shop, an offer of the returns list, or an exchange, which no coupon lowers and nothing extends. */
export type Till = Pick<Shop, "email" | "action" | "problem" | "notice" | "busy" | "clock" | "pay"> & Partial<Pick<Shop, "extend" | "lower" | "raise">> & { go(step: "pick"): void };

const lowers = (shop: Till): shop is Till & Lowering => shop.lower !== undefined;

/** What is said where tickets are bought; free, nothing: where nothing is to pay. */
const usual = { heading: words.pay.heading, back: words.pay.back, free: coupons.pay.free, nothing: coupons.pay.nothing };

interface Props {
  shop: Till;
  show?: Show | undefined;
  hold: Hold;
  says?: Partial<typeof usual>;
  /** Where the tickets go is known: nobody is asked. */
  known?: boolean;
  /** What is paid for, where it is more than what is held. */
  children?: ComponentChildren;
}

export function Checkout({ shop, show, hold, says, known = false, children }: Props) {
  const say = { ...usual, ...says };
  const before = lastAttempt(hold.id);
  const buyer = useBuyer();
  const [typed, setEmail] = useState<string | undefined>(before?.email ?? (shop.email || undefined));
  const email = typed ?? (buyer === "guest" ? "" : buyer?.email) ?? "";
  const [method, setMethod] = useState<Method>((before?.method as Method) || methods[0]!);
  const [wants, setWants] = useState(false); // whoever says nothing has not agreed
  const [invalid, setInvalid] = useState(false);
  const [by, setBy] = useState<Payment | undefined>(knownPayment(hold.performance));
  const [fields, setFields] = useState<CardFields>();
  const [refused, setRefused] = useState("");
  useEffect(() => {
    if (by !== undefined) return;
    const ask = () => void payment(hold.performance).then(setBy, () => (timer = setTimeout(ask, 2_000)));
    let timer: ReturnType<typeof setTimeout> | undefined;
    ask();
    return () => clearTimeout(timer);
  }, [hold.performance]);
  const free = hold.total.amount === 0; // nobody is asked for money
  const cards = by?.provider === "stripe" && !free;
  const sandbox = by?.provider === "sandbox" && !free;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const good = known || /^[^\s@]+@[^\s@]+$/.test(email.trim());
    setInvalid(!good);
    if (!good) return;
    const newsletter = wants && !known ? words.pay.newsletter : "";
    if (!cards) return void shop.pay(email.trim(), free ? "" : method, newsletter);
    setRefused("");
    fields?.token(email.trim()).then(
      (token) => void shop.pay(email.trim(), token, newsletter),
      (cause) => setRefused((cause instanceof CardRefused && cause.message) || words.pay.cardWrong),
    );
  };
  return (
    <form class="pay card" onSubmit={submit} noValidate>
      <h1 ref={heading} tabIndex={-1}>
        {say.heading}
      </h1>
      <HoldClock shop={shop} hold={hold} />
      {children ?? (
        <>
          <Lines show={show} hold={hold} />
          <ToPay hold={hold} />
        </>
      )}
      {shop.action === undefined && lowers(shop) && <CouponField shop={shop} hold={hold} />}
      {shop.action !== undefined && (
        <div class="waits" role="status">
          <p>{words.pay.waits}</p>
          <p>
            <a class="button primary" href={shop.action}>
              {words.pay.confirm}
            </a>
          </p>
          <p class="note">{words.pay.orElse}</p>
        </div>
      )}
      {!known && (
        <label>
          {words.pay.email}
          <input
            type="email"
            name="email"
            autocomplete="email"
            required
            value={email}
            aria-invalid={invalid}
            aria-describedby={invalid ? "email-wrong" : undefined}
            onInput={(event) => setEmail(event.currentTarget.value)}
          />
        </label>
      )}
      {!known && <Buyer who={buyer} />}
      {invalid && (
        <p class="wrong" id="email-wrong" role="alert">
          {words.problem.email}
        </p>
      )}
      {!known && (
        <label class="newsletter">
          <input type="checkbox" name="newsletter" checked={wants} onChange={(event) => setWants(event.currentTarget.checked)} />
          {words.pay.newsletter}
        </label>
      )}
      {cards && by && <Card of={by} ready={setFields} />}
      {sandbox && (
        <fieldset class="methods">
          <legend>{words.pay.method}</legend>
          {methods.map((each) => (
            <label key={each}>
              <input type="radio" name="method" value={each} checked={method === each} onChange={() => setMethod(each)} />
              <span>
                <b>{words.pay.methods[each].name}</b>
                <span class="note">{words.pay.methods[each].about}</span>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      {sandbox && <p class="note">{words.pay.sandbox}</p>}
      {free && <p class="note">{say.nothing}</p>}
      <Problem text={refused || shop.problem} />
      <p class="unseen" role="status">
        {shop.notice}
      </p>
      <div class="acts">
        <button type="button" onClick={() => shop.go("pick")} disabled={shop.busy}>
          {say.back}
        </button>
        {hold.extensions_left > 0 && shop.action === undefined && (
          <button type="button" onClick={() => void shop.extend?.()} disabled={shop.busy}>
            {words.basket.extend}
          </button>
        )}
        <button type="submit" class="primary" disabled={shop.busy || by === undefined || (cards && fields === undefined) || hold.coupon?.problem !== undefined}>
          {shop.busy ? words.pay.paying : free ? say.free : words.pay.pay(money(hold.total))}
        </button>
      </div>
    </form>
  );
}
