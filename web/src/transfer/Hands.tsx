import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import * as api from "../api/transfers";
import { final } from "../api/refusal";
import { useAct } from "../look/act";
import { useAsking } from "../look/asking";
import { transfer as words } from "../messages/en";
import "./transfer.css";

const pause = 5_000; // without an answer
const every = 20_000; // while somebody is asked: the answer comes from elsewhere

/** Where tickets are given to others, called back, and named. id: an order's, or a transfer's. place: of a ticket, as its holder reads it. */
export function Hands(props: { id: string; orderKey: string; place: (ticket: string) => string; onChanged: () => void; children?: (has: api.Handing) => ComponentChildren }) {
  const { id, orderKey, place, onChanged, children } = props;
  const [has, setHas] = useState<api.Handing>();
  const again = useAsking(
    async (over) => {
      try {
        const found = await api.handing(id, orderKey);
        if (over()) return;
        setHas((before) => {
          if (before && given(before) !== given(found)) onChanged();
          return found;
        });
        return found.tickets.some((each) => each.transfer?.state === "offered") ? every : undefined;
      } catch (cause) {
        return final(cause) ? undefined : pause;
      }
    },
    [id, orderKey],
  );
  if (!has) return null;
  const open = has.give_until !== undefined && Date.parse(has.give_until) > Date.now();
  const told = has.tickets.some((each) => each.transfer);
  if (!open && !told && !has.names && !children?.(has)) return null;
  return (
    <section class="hands" aria-labelledby="hands">
      {(open || told || has.names) && <h2 id="hands">{words.heading}</h2>}
      {(open || told) && <p class="note">{open ? words.until(has.give_until!) : words.closed}</p>}
      {open && <p class="note">{words.money}</p>}
      <ul>
        {has.tickets.map((each) => (
          <Hand key={each.id} ticket={each} has={has} open={open} place={place(each.id)} orderKey={orderKey} done={again} />
        ))}
      </ul>
      {children?.(has)}
    </section>
  );
}

const given = (has: api.Handing) => has.tickets.filter((each) => each.transfer?.state === "accepted").length;

type Asked = "give" | "name" | undefined;

function Hand(props: { ticket: api.Handing["tickets"][number]; has: api.Handing; open: boolean; place: string; orderKey: string; done: () => void }) {
  const { ticket, has, open, place, orderKey, done } = props;
  const [asked, ask] = useState<Asked>();
  const { busy, problem, act } = useAct(() => undefined, words.lost);
  const go = (todo: () => Promise<unknown>) =>
    act(async () => {
      try {
        await todo();
        ask(undefined);
      } finally {
        done();
      }
    });
  const { state, email = "", expires_at = "" } = ticket.transfer ?? {};
  const theirs = state === "accepted";
  const naming = has.names && !theirs && (ticket.name === undefined || (has.name_until !== undefined && Date.parse(has.name_until) > Date.now()));
  const giving = open && !theirs && state !== "offered" && ticket.times !== 0;
  return (
    <li class="card" data-hand={state ?? "mine"}>
      <p dir="auto">
        <b>{words.place(place, ticket.name)}</b>
      </p>
      {state === "offered" && <p>{words.offered(email, expires_at)}</p>}
      {theirs && <p>{words.accepted(email)}</p>}
      {(state === "refused" || state === "over") && <p class="note">{words[state]}</p>}
      {open && !theirs && ticket.times !== undefined && <p class="note">{words.times(ticket.times)}</p>}
      {asked === undefined && (state === "offered" || giving || naming) && (
        <div class="acts">
          {state === "offered" && (
            <button type="button" disabled={busy} aria-label={words.of(words.recall, place)} onClick={() => void go(() => api.recall(ticket.id, orderKey))}>
              {words.recall}
            </button>
          )}
          {giving && (
            <button type="button" aria-label={words.of(words.give, place)} onClick={() => ask("give")}>
              {words.give}
            </button>
          )}
          {naming && (
            <button type="button" aria-label={words.of(ticket.name === undefined ? words.name : words.rename, place)} onClick={() => ask("name")}>
              {ticket.name === undefined ? words.name : words.rename}
            </button>
          )}
        </div>
      )}
      {asked === "give" && (
        <Ask label={words.email} type="email" act={words.send} busy={busy} no={() => ask(undefined)} go={(text) => go(() => api.offer(ticket.id, orderKey, text))} />
      )}
      {asked === "name" && (
        <Ask label={words.named} type="text" first={ticket.name} act={words.keep} busy={busy} no={() => ask(undefined)} go={(text) => go(() => api.rename(ticket.id, orderKey, text))} />
      )}
      <p class="wrong" role="alert">
        {problem}
      </p>
    </li>
  );
}

/** The button that asked is gone. */
const focus = (input: HTMLInputElement | null) => {
  if (input && document.activeElement === document.body) input.focus();
};

function Ask(props: { label: string; type: "email" | "text"; first?: string | undefined; act: string; busy: boolean; no: () => void; go: (text: string) => void }) {
  const [text, setText] = useState(props.first ?? "");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        props.go(text.trim());
      }}
    >
      <label>
        {props.label}
        <input
          {...(props.type === "email" ? { type: "email" as const } : { type: "text" as const })}
          name={props.type === "email" ? "to" : "name"}
          autocomplete="off"
          required
          maxLength={props.type === "email" ? 254 : 100}
          value={text}
          ref={focus}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <div class="acts">
        <button type="submit" class="primary" disabled={props.busy}>
          {props.act}
        </button>
        <button type="button" disabled={props.busy} onClick={props.no}>
          {words.cancel}
        </button>
      </div>
    </form>
  );
}
