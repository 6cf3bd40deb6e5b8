import { useEffect, useRef, useState } from "preact/hooks";
import type { Key } from "../api/team";
import { Dialog } from "../look/Dialog";
import { Keep } from "../look/Keep";
import { team as words } from "../messages/en";
import { Choices } from "./Choices";
import type { Team } from "./model";

const text = words.keys;

/** Each area may be read and written, but for what was changed. */
const scopes = Object.keys(text.scopes);

const isOver = (key: Key) => key.revoked !== undefined || (key.ends !== undefined && new Date(key.ends) <= new Date());

export function Keys({ team }: { team: Team }) {
  const [asked, setAsked] = useState<Key>();
  const heading = useRef<HTMLHeadingElement>(null);
  const { list, next } = team.keys!;
  return (
    <section class="card part" aria-labelledby="keys">
      <h2 id="keys" ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      <p class="note">{text.lead}</p>
      {list.length === 0 && <p class="note">{text.none}</p>}
      <ul class="lines">
        {list.map((each) => (
          <li key={each.id} data-over={isOver(each)}>
            <div>
              <b>{each.name}</b>
              <p>{each.scopes.map((scope) => text.scopes[scope] ?? scope).join(", ")}</p>
              <p class="note">{text.made(each.at)}</p>
              <p class="note">{each.seen ? text.seen(each.seen) : text.unused}</p>
              {each.revoked ? <p class="note">{text.isRevoked(each.revoked)}</p> : each.ends && <p class="note">{isOver(each) ? text.isOver(each.ends) : text.ends(each.ends)}</p>}
            </div>
            {!isOver(each) && (
              <button type="button" disabled={team.busy} aria-label={text.revokeOf(each.name)} onClick={() => setAsked(each)}>
                {text.revoke}
              </button>
            )}
          </li>
        ))}
      </ul>
      {next !== "" && (
        <button type="button" disabled={team.busy} onClick={() => void team.moreKeys()}>
          {words.more}
        </button>
      )}
      {team.made ? <Made made={team.made} kept={() => (team.kept(), heading.current?.focus())} /> : <Make team={team} />}
      {asked && (
        <Dialog
          title={text.ask(asked.name)}
          no={words.members.no}
          yes={text.revoke}
          onNo={() => setAsked(undefined)}
          onYes={() => {
            setAsked(undefined);
            void team.revoke(asked).then(() => heading.current?.focus());
          }}
        >
          <p>{text.askLead}</p>
        </Dialog>
      )}
    </section>
  );
}

function Make({ team }: { team: Team }) {
  const [name, setName] = useState("");
  const [has, setHas] = useState<string[]>([]);
  const [days, setDays] = useState("");
  const [wrong, setWrong] = useState("");
  useEffect(() => setWrong(""), [name, has, days]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (has.length === 0) return setWrong(text.noScope);
    void team.makeKey(name.trim(), has, days === "" ? 0 : Number(days));
  };
  return (
    <form onSubmit={submit}>
      <h3>{text.make}</h3>
      <label>
        {text.name}
        <input name="name" maxLength={100} autocomplete="off" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <Choices legend={text.may} all={scopes} words={text.scopes} has={has} set={setHas} />
      <label>
        {text.days}
        <input name="days" type="number" min={1} max={3650} step={1} value={days} onInput={(event) => setDays(event.currentTarget.value)} />
      </label>
      <p class="wrong" role="alert">
        {wrong}
      </p>
      <button type="submit" class="primary" disabled={team.busy}>
        {text.submit}
      </button>
    </form>
  );
}

function Made({ made, kept }: { made: { name: string; secret: string }; kept: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div class="made">
      <h3 ref={heading} tabIndex={-1}>
        {text.secret(made.name)}
      </h3>
      <p>{text.once}</p>
      <p>
        <code>{made.secret}</code>
      </p>
      <Keep value={made.secret} text={text} kept={kept} />
    </div>
  );
}
