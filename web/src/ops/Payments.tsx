import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { PaymentTrouble } from "../api/documents";
import { Refusal } from "../api/http";
import { useAsking } from "../look/asking";
import { ops as words } from "../messages/en";
import { money } from "../messages/format";
import { when } from "./settings";
import { Table } from "./Table";

const every = 5_000;

/** Payments that did not come together with their tickets, as far as somebody has to do something about them. */
export function Payments() {
  const w = words.payments;
  const [found, setFound] = useState<PaymentTrouble[]>();
  const [away, setAway] = useState(false);
  const [elsewhere, setElsewhere] = useState(false);
  useAsking(async (over) => {
    try {
      const all = await api.payments();
      if (over()) return;
      setFound(all.filter((each) => each.state === "open" || each.state === "failed"));
      setAway(false);
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.code === "payments-away") return void setElsewhere(true);
      setFound(undefined);
      setAway(true);
    }
    return every;
  }, []);
  if (elsewhere) return null; // this admission part has no database
  return (
    <section class="card desk" aria-labelledby="payments">
      <h2 id="payments">{w.heading}</h2>
      <p class={away || found?.length ? "wrong" : "note"} role="status">
        {away ? w.away : !found ? words.reading : found.length === 0 ? w.none : w.some(found.length)}
      </p>
      {found && found.length > 0 && (
        <Table named="payments" columns={[w.what, w.amount, w.sale, w.payment, w.since]}>
          {found.map((each) => (
            <tr key={`${each.attempt} ${each.kind}`}>
              <th scope="row">
                {w.kind[each.kind] ?? each.kind}
                {each.state === "failed" && <span class="wrong"> {w.failed}</span>}
              </th>
              <td>{money(each.amount)}</td>
              <td>{each.sale}</td>
              <td>{each.payment}</td>
              <td>{when(each.at)}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
