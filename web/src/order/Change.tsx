import { useState } from "preact/hooks";
import { cancel } from "../api/booking";
import type { Receipt } from "../api/documents";
import { Dialog } from "../look/Dialog";
import { order } from "../messages/en";
import { money } from "../messages/format";
import { problemOf } from "../messages/problem";
import { Choice, total } from "./Choice";

const words = order.change;

/** Where tickets are chosen and canceled. What comes back is said before anything is done. */
export function Change({ receipt, orderKey, onChanged, onStale }: { receipt: Receipt; orderKey: string; onChanged: (receipt: Receipt) => void; onStale: () => void }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [done, setDone] = useState("");
  const valid = receipt.lines.filter((line) => line.state === "valid");
  const picked = valid.filter((line) => chosen.has(line.ticket));
  const sum = (amount: number) => money({ amount, currency: receipt.currency });
  const back = total(picked, (line) => line.refund);
  const paid = total(picked, (line) => line.paid);

  const choose = (tickets: ReadonlySet<string>) => {
    setChosen(tickets);
    setProblem("");
    setDone("");
  };
  const ask = () => {
    setDone("");
    setProblem(picked.length === 0 ? words.none : "");
    setAsking(picked.length > 0);
  };
  const go = async () => {
    setAsking(false);
    setBusy(true);
    try {
      onChanged(await cancel(receipt.order, orderKey, picked.map((line) => line.ticket), back));
      setDone(words.done(picked.length));
      setChosen(new Set());
    } catch (cause) {
      setProblem(problemOf(cause, () => undefined));
      onStale(); // what is shown may not be so any more
    } finally {
      setBusy(false);
    }
  };

  const until = receipt.cancel_until;
  const open = until !== undefined && Date.parse(until) > Date.now();
  if (receipt.tender !== undefined || (valid.length === 0 && done === "" && problem === "")) return null;
  return (
    <section class="change" aria-labelledby="change">
      <h2 id="change">{words.heading}</h2>
      {valid.length > 0 && <p class="note">{until === undefined ? words.never : open ? words.until(until) : words.over(until)}</p>}
      {valid.length > 0 && open && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            ask();
          }}
        >
          <Choice lines={valid} chosen={chosen} choose={choose} busy={busy} said={(lines) => words.back(sum(total(lines, (line) => line.refund)))} />
          <div class="acts">
            <button type="submit" disabled={busy}>
              {busy ? words.busy : words.act}
            </button>
          </div>
        </form>
      )}
      <p class="wrong" role="alert">
        {problem}
      </p>
      <p role="status">{done}</p>
      {asking && (
        <Dialog
          title={words.ask(picked.length)}
          no={words.keep}
          yes={back > 0 ? words.yes : words.yesNothing}
          onNo={() => setAsking(false)}
          onYes={() => void go()}
        >
          <p>{back > 0 ? words.refund(sum(back), sum(paid)) : words.nothing(sum(paid))}</p>
          <p>{words.final}</p>
        </Dialog>
      )}
    </section>
  );
}
