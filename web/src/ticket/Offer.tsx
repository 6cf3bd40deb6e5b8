import { useState } from "preact/hooks";
import type { Passes } from "../api/documents";
import * as api from "../api/transfers";
import { useAct } from "../look/act";
import { Dialog } from "../look/Dialog";
import { ticket, transfer } from "../messages/en";
import "../transfer/transfer.css";

const words = transfer.mine;

/** What somebody is offered, or was: until they accept it they have no ticket. */
export function Offer({ told, id, orderKey, onChanged }: { told: Omit<Passes, "tickets">; id: string; orderKey: string; onChanged: () => void }) {
  const offer = told.offer!;
  const [name, setName] = useState("");
  const { busy, problem, act } = useAct(() => undefined, transfer.lost);
  const go = (todo: () => Promise<unknown>) =>
    act(async () => {
      try {
        await todo();
      } finally {
        onChanged();
      }
    });
  if (offer.state !== "offered") {
    if (offer.state === "accepted") return null;
    return (
      <section class="offer">
        <h2>{words[offer.state].heading}</h2>
        <p>{words[offer.state].lead}</p>
      </section>
    );
  }
  const show = told.for;
  return (
    <section class="offer" aria-labelledby="offer">
      <h2 id="offer">{words.heading}</h2>
      <p>{words.from(offer.giver ?? "")}</p>
      <div class="card" data-offer={offer.state}>
        <h3 dir="auto">{show.title}</h3>
        {show.state !== "postponed" && <p>{ticket.starts(show.starts_at, show.time_zone)}</p>}
        <p dir="auto">{[show.venue, show.city].filter(Boolean).join(", ")}</p>
        <p dir="auto">
          <b>{offer.label || offer.tier}</b>
        </p>
        {show.state !== "scheduled" && <p class="wrong">{ticket.show[show.state]}</p>}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void go(() => api.accept(id, orderKey, name.trim()));
        }}
      >
        {offer.named && (
          <label>
            {transfer.named}
            <input type="text" name="name" autocomplete="name" required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
        )}
        <div class="acts">
          <button type="submit" class="primary" disabled={busy}>
            {words.accept}
          </button>
          <button type="button" disabled={busy} onClick={() => void go(() => api.refuse(id, orderKey))}>
            {words.refuse}
          </button>
        </div>
      </form>
      <p class="wrong" role="alert">
        {problem}
      </p>
      <p class="note">{words.until(offer.expires_at)}</p>
    </section>
  );
}

/** Where who has a ticket by a transfer gives it back to the organizer. */
export function GiveBack({ until, id, orderKey, onChanged }: { until: string; id: string; orderKey: string; onChanged: () => void }) {
  const [asking, setAsking] = useState(false);
  const { busy, problem, act } = useAct(() => undefined, transfer.lost);
  const go = () => {
    setAsking(false);
    void act(async () => {
      try {
        await api.giveBack(id, orderKey);
      } finally {
        onChanged();
      }
    });
  };
  return (
    <>
      <p class="note">{words.backUntil(until)}</p>
      <div class="acts">
        <button type="button" disabled={busy} onClick={() => setAsking(true)}>
          {words.back}
        </button>
      </div>
      <p class="wrong" role="alert">
        {problem}
      </p>
      {asking && (
        <Dialog title={words.ask} no={words.no} yes={words.yes} onNo={() => setAsking(false)} onYes={go}>
          <p>{words.askMore}</p>
        </Dialog>
      )}
    </>
  );
}
