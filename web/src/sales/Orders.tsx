import { useState } from "preact/hooks";
import type { Sold } from "../api/sales";
import { sales as words } from "../messages/en";
import { money } from "../messages/format";
import type { Sales } from "./model";

/** Who bought, by what staff are told on the phone. */
export function Orders({ sales }: { sales: Sales }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    void sales.find({ email: text("email"), seat: text("seat"), state: text("state") });
  };
  return (
    <section class="card orders" aria-labelledby="orders">
      <h2 id="orders">{words.search}</h2>
      <form class="search" onSubmit={submit}>
        <label>
          {words.email}
          <input name="email" maxLength={100} autocomplete="off" />
        </label>
        <label>
          {words.seat}
          <input name="seat" maxLength={100} autocomplete="off" />
        </label>
        <label>
          {words.state}
          <select name="state">
            <option value="">{words.any}</option>
            {Object.entries(words.states).map(([state, name]) => (
              <option key={state} value={state}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="primary" disabled={sales.busy}>
          {words.find}
        </button>
      </form>
      {sales.open ? <Open key={sales.open.id} sales={sales} order={sales.open} /> : <Found sales={sales} />}
    </section>
  );
}

function Found({ sales }: { sales: Sales }) {
  const { found } = sales;
  if (!found) return null;
  return (
    <>
      <p class="note" role="status">
        {found.length === 0 ? words.foundNone : words.found(found.length, sales.moreFound !== "")}
      </p>
      <ul class="found">
        {found.map((each) => (
          <li key={each.id}>
            <span>
              <b>{each.email || words.noEmail}</b>
              <span class="note">{` ${words.placed(each.placed_at)}`}</span>
            </span>
            <span>{each.tickets.map((ticket) => ticket.label).join(", ")}</span>
            <span>{`${money(each.amount)} · ${words.states[each.state]}`}</span>
            <button type="button" onClick={() => void sales.look(each.id)} disabled={sales.busy} aria-label={`${words.open} ${each.email ?? each.id}`}>
              {words.open}
            </button>
          </li>
        ))}
      </ul>
      {sales.moreFound !== "" && (
        <button type="button" onClick={() => void sales.findMore()} disabled={sales.busy}>
          {words.more}
        </button>
      )}
    </>
  );
}

function Open({ sales, order }: { sales: Sales; order: Sold }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [reason, setReason] = useState("");
  const [full, setFull] = useState(false);
  const [wrong, setWrong] = useState("");
  const valid = order.tickets.filter((ticket) => ticket.state === "valid");
  const go = () => {
    setWrong(chosen.size === 0 ? words.cancel.nothing : reason.trim() === "" ? words.cancel.missing : "");
    if (chosen.size > 0 && reason.trim() !== "") void sales.cancel([...chosen], reason.trim(), full).then(() => setChosen(new Set()));
  };
  const toggle = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  return (
    <div class="open">
      <p>
        <b>{order.email || words.noEmail}</b>
        {` · ${money(order.amount)} · ${words.states[order.state]}`}
      </p>
      <p class="note">{`${words.placed(order.placed_at)} · ${words.reference} ${order.id}`}</p>
      {order.marks?.map((each) => (
        <p key={each.kind} class="wrong">
          {words.marks[each.kind](each.at, each.problem ?? "")}
        </p>
      ))}
      <ul>
        {order.tickets.map((ticket) => (
          <li key={ticket.id}>{`${ticket.label}, ${words.ticketStates[ticket.state] ?? ticket.state}`}</li>
        ))}
      </ul>
      {order.tender && valid.length > 0 && <p class="note">{words.cancel.counter}</p>}
      {!order.tender && valid.length > 0 && (
        <fieldset>
          <legend>{words.cancel.heading}</legend>
          {valid.map((ticket) => (
            <label key={ticket.id} class="check">
              <input type="checkbox" checked={chosen.has(ticket.id)} onChange={(event) => toggle(ticket.id, event.currentTarget.checked)} />
              {ticket.label}
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
          <p class="wrong" role="alert">
            {wrong}
          </p>
          <button type="button" onClick={go} disabled={sales.busy}>
            {words.cancel.go}
          </button>
        </fieldset>
      )}
      <button type="button" class="quiet" onClick={() => sales.close()}>
        {words.search}
      </button>
    </div>
  );
}
