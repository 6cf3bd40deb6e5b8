import { useEffect, useRef, useState } from "preact/hooks";
import type { Receipt } from "../api/counter";
import { counter as words } from "../messages/en";
import { moment, money } from "../messages/format";
import { percent } from "../messages/percent";
import type { Counter } from "./model";
import { toQuantity } from "./Sale";

/** The order that was sold last, or looked up: to print, or to cancel. */
export function Order({ counter }: { counter: Counter }) {
  const { sold, receipt } = counter;
  const [id, setId] = useState("");
  const next = useRef<HTMLButtonElement>(null);
  useEffect(() => next.current?.focus(), [sold?.id]);
  if (!sold)
    return (
      <details class="basket card find">
        <summary>{words.find}</summary>
        <form
          class="code"
          onSubmit={(event) => {
            event.preventDefault();
            void counter.find(id.trim());
          }}
        >
          <label>
            {words.findId}
            <input name="order" autocomplete="off" required value={id} onInput={(event) => setId(event.currentTarget.value)} />
          </label>
          <button type="submit">{words.findGo}</button>
        </form>
      </details>
    );
  return (
    <section class="basket card sold" aria-labelledby="sold">
      <h2 id="sold" class="screen">
        {words.sold(sold.tickets.length)}
      </h2>
      {receipt && <Paper receipt={receipt} />}
      <ul class="tickets">
        {sold.tickets
          .filter((each) => each.state === "valid")
          .map((each) => (
            <li key={each.id}>
              <img src={`data:image/svg+xml,${encodeURIComponent(each.qr)}`} alt={words.qr(each.label)} width={160} height={160} />
              <b>{each.label}</b>
              {receipt && <span>{`${receipt.title}, ${moment(receipt.starts_at)}`}</span>}
              {receipt && <span>{receipt.venue}</span>}
            </li>
          ))}
      </ul>
      <div class="acts screen">
        <button
          type="button"
          class="primary"
          ref={next}
          onClick={() => {
            counter.next();
            toQuantity();
          }}
        >
          {words.next}
        </button>
        <button type="button" onClick={() => print()}>
          {words.print}
        </button>
      </div>
      {receipt && receipt.state === "paid" && <Cancel key={sold.id} counter={counter} receipt={receipt} />}
    </section>
  );
}

function Paper({ receipt: r }: { receipt: Receipt }) {
  const amount = (n: number) => money({ amount: n, currency: r.currency });
  return (
    <div class="paper">
      <p>
        <b>{r.title}</b>
        <br />
        {`${r.venue}, ${moment(r.starts_at)}`}
        <br />
        <span class="note">{`${words.order} ${r.order}`}</span>
      </p>
      <ul class="lines">
        {r.lines.map((line) => (
          <li key={line.ticket}>
            <span>{line.state === "valid" ? line.label : `${line.label}, ${words.state[line.state] ?? line.state}`}</span>
            <span>{amount(line.price)}</span>
          </li>
        ))}
        {(r.discount ?? 0) > 0 && <Line what={words.discount} amount={`−${amount(r.discount!)}`} />}
      </ul>
      <p class="total">
        <span>{words.paidBy(words.tender[r.tender])}</span>
        <b>{amount(r.total)}</b>
      </p>
      <ul class="lines note">
        {r.tax > 0 && <Line what={words.net} amount={amount(r.net)} />}
        {r.tax > 0 && <Line what={words.tax(percent(r.tax_rate))} amount={amount(r.tax)} />}
        {r.fee > 0 && <Line what={words.fee} amount={amount(r.fee)} />}
      </ul>
      {r.refunds.map((each) => (
        <p key={each.id}>{words.back(amount(each.amount), amount(each.kept))}</p>
      ))}
    </div>
  );
}

function Line(props: { what: string; amount: string }) {
  return (
    <li>
      <span>{props.what}</span>
      <span>{props.amount}</span>
    </li>
  );
}

function Cancel({ counter, receipt }: { counter: Counter; receipt: Receipt }) {
  const valid = receipt.lines.filter((line) => line.state === "valid");
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  const [reason, setReason] = useState("");
  const [full, setFull] = useState(false);
  const [wrong, setWrong] = useState("");
  const chosen = valid.filter((line) => !kept.has(line.ticket));
  const refund = chosen.reduce((sum, line) => sum + (full ? line.paid : line.refund), 0);
  const go = (tender: "cash" | "terminal") => {
    setWrong(chosen.length === 0 ? words.cancel.nothing : reason.trim() === "" ? words.cancel.missing : "");
    if (chosen.length === 0 || reason.trim() === "") return;
    void counter.cancel({ tickets: chosen.map((line) => line.ticket), reason: reason.trim(), full, tender });
  };
  return (
    <details class="cancel screen">
      <summary>{words.cancel.heading}</summary>
      {valid.map((line) => (
        <label key={line.ticket} class="check">
          <input
            type="checkbox"
            checked={!kept.has(line.ticket)}
            onChange={(event) => {
              const next = new Set(kept);
              if (event.currentTarget.checked) next.delete(line.ticket);
              else next.add(line.ticket);
              setKept(next);
            }}
          />
          {line.label}
        </label>
      ))}
      <label>
        {words.cancel.reason}
        <input name="reason" maxLength={200} autocomplete="off" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <label class="check">
        <input type="checkbox" checked={full} onChange={(event) => setFull(event.currentTarget.checked)} />
        {words.cancel.full}
      </label>
      <p role="status">{words.cancel.refund(money({ amount: refund, currency: receipt.currency }))}</p>
      <p class="wrong" role="alert">
        {wrong}
      </p>
      <div class="acts">
        <button type="button" onClick={() => go("cash")}>
          {words.cancel.cash}
        </button>
        <button type="button" onClick={() => go("terminal")}>
          {words.cancel.terminal}
        </button>
      </div>
    </details>
  );
}
