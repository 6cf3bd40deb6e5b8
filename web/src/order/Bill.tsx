import type { Receipt, ReceiptExchange } from "../api/documents";
import { order } from "../messages/en";
import { moment, money } from "../messages/format";
import { percent } from "../messages/percent";
import { orderAddress } from "./keep";

const words = order.receipt;

/** What was paid, what of that is tax and fee, and what went back. It prints on a page of its own. */
export function Bill({ receipt, onPrint }: { receipt: Receipt; onPrint: () => void }) {
  const sum = (amount: number) => money({ amount, currency: receipt.currency });
  return (
    <section class="bill" aria-labelledby="bill">
      <div class="head">
        <h2 id="bill">{words.heading}</h2>
        <button type="button" onClick={onPrint}>
          {words.print}
        </button>
      </div>
      <p class="note">
        {receipt.title}, {receipt.venue}, {moment(receipt.starts_at)}
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.ticket}</th>
            <th scope="col">{words.price}</th>
          </tr>
        </thead>
        <tbody>
          {receipt.lines.map((line) => (
            <tr key={line.ticket}>
              <th scope="row">
                {line.label || words.place}
                {line.state === "canceled" && <span class="note">{words.canceled}</span>}
              </th>
              <td>{sum(line.price)}</td>
            </tr>
          ))}
          {receipt.discount !== undefined && <Row name={receipt.tender === undefined ? words.discount : words.lowered} value={sum(-receipt.discount)} />}
        </tbody>
        <tfoot>
          <Row kind="sum" name={words.total} value={sum(receipt.total)} />
          {receipt.fee > 0 && <Row kind="part" name={words.fee} value={sum(receipt.fee)} />}
          {receipt.tax_rate > 0 && <Row kind="part" name={words.tax(percent(receipt.tax_rate))} value={sum(receipt.tax)} />}
          {receipt.tax_rate > 0 && <Row kind="part" name={words.net} value={sum(receipt.net)} />}
          {receipt.exchanged_from.map((other) => (
            <Exchanged key={other.order} name={words.from} other={other} value={sum(other.amount)} />
          ))}
          {receipt.exchanged_to.map((other) => (
            <Exchanged key={other.order} name={words.to} other={other} value={sum(-other.amount)} />
          ))}
          {receipt.refunds
            .filter((refund) => refund.amount > 0 || refund.kept > 0)
            .map((refund) => (
              <tr key={refund.id} class="refund">
                <th scope="row">
                  {refund.amount > 0 ? words.refund[refund.state] : words.refund.none}
                  <span class="note">{moment(refund.at)}</span>
                  {refund.kept > 0 && <span class="note">{words.kept(sum(refund.kept))}</span>}
                </th>
                <td>{sum(refund.amount > 0 ? -refund.amount : 0)}</td>
              </tr>
            ))}
        </tfoot>
      </table>
    </section>
  );
}

function Row(props: { kind?: string; name: string; value: string }) {
  return (
    <tr class={props.kind}>
      <th scope="row">{props.name}</th>
      <td>{props.value}</td>
    </tr>
  );
}

function Exchanged({ name, other, value }: { name: string; other: ReceiptExchange; value: string }) {
  return (
    <tr>
      <th scope="row">
        {name} <a href={orderAddress({ id: other.order, key: other.key })}>{words.other}</a>
      </th>
      <td>{value}</td>
    </tr>
  );
}
