import { useEffect, useRef, useState } from "preact/hooks";
import type { CounterHold, Tender } from "../api/counter";
import { Countdown } from "../look/Countdown";
import { counter as words } from "../messages/en";
import { money } from "../messages/format";
import type { Counter } from "./model";

const tenders: Tender[] = ["cash", "terminal", "complimentary"];

/** What is held, and the ways to be paid for it. The first of them has the focus: Enter sells. */
export function Sale({ counter }: { counter: Counter }) {
  return (
    <section class={`basket card ${counter.hold ? "full" : ""}`} aria-labelledby="sale">
      <h2 id="sale">{words.sale}</h2>
      {counter.open ? <Unclear counter={counter} /> : counter.hold ? <Held key={counter.hold.id} counter={counter} hold={counter.hold} /> : !counter.sold && <p class="note">{words.empty}</p>}
      <p class="wrong" role="alert">
        {counter.problem}
      </p>
      <p class="note" role="status">
        {counter.asking ? words.asking : counter.notice}
      </p>
    </section>
  );
}

function Held({ counter, hold }: { counter: Counter; hold: CounterHold }) {
  const [email, setEmail] = useState("");
  const [code, setCode] = useState("");
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  const free = { ...hold.total, amount: 0 };
  return (
    <div
      onKeyDown={(event) => {
        if (event.key !== "Escape" || counter.busy) return;
        void counter.drop().then(toQuantity);
      }}
    >
      <p role="status">
        {words.held(hold.units.length)} <Countdown clock={counter.clock} to={hold.expires_at}>{(ms) => words.remaining(ms)}</Countdown>
      </p>
      <ul class="lines">
        {hold.lines.map((line) => (
          <li key={line.unit}>
            <span>{line.label}</span>
            <span>{money(line.price)}</span>
          </li>
        ))}
        {hold.coupon && (
          <li>
            <span>{hold.coupon.problem ? words.couponEnded : hold.coupon.title}</span>
            <span>−{money(hold.coupon.discount)}</span>
          </li>
        )}
      </ul>
      <p class="total">
        <span>{words.total}</span>
        <b>{money(hold.total)}</b>
      </p>
      <p class="note">{words.allIn}</p>
      <div class="tenders">
        {tenders.map((tender, index) => (
          <button
            key={tender}
            ref={index === 0 ? first : null}
            type="button"
            class={index === 0 ? "primary" : ""}
            aria-disabled={counter.busy}
            onClick={() => void counter.sell(tender, email.trim())}
          >
            {words.pay(words.tender[tender], money(tender === "complimentary" ? free : hold.total))}
          </button>
        ))}
      </div>
      <label>
        {words.email}
        <input type="email" name="email" autocomplete="off" value={email} onInput={(event) => setEmail(event.currentTarget.value)} />
      </label>
      {hold.coupon ? (
        <button type="button" class="quiet" onClick={() => void counter.coupon("")}>
          {words.dropCoupon}
        </button>
      ) : (
        <form
          class="code"
          onSubmit={(event) => {
            event.preventDefault();
            void counter.coupon(code.trim()).then(() => first.current?.focus());
          }}
        >
          <label>
            {words.coupon}
            <input name="coupon" autocomplete="off" maxLength={64} required value={code} onInput={(event) => setCode(event.currentTarget.value)} />
          </label>
          <button type="submit">{words.useCoupon}</button>
        </form>
      )}
      <button type="button" class="quiet" onClick={() => void counter.drop().then(toQuantity)}>
        {words.drop}
      </button>
    </div>
  );
}

function Unclear({ counter }: { counter: Counter }) {
  const again = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!counter.busy) again.current?.focus();
  }, [counter.busy]);
  const { tender, total } = counter.open!.sale;
  return (
    <>
      {!counter.busy && counter.problem === "" && <p>{words.unclear}</p>}
      <p class="total">
        <span>{words.tender[tender]}</span>
        <b>{money(total)}</b>
      </p>
      <button type="button" class="primary" ref={again} aria-disabled={counter.busy} onClick={() => void counter.sell(tender, "")}>
        {words.again}
      </button>
    </>
  );
}

/** Where the next sale begins, with one of each again. */
export function toQuantity(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>(".tiers form")) form.reset();
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>(".tiers input")?.focus());
}
