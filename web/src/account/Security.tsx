import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import type { SignInPlace } from "../api/documents";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { account as words, common } from "../messages/en";
import { unanswered } from "../messages/problem";
import { useAccountAct } from "./act";
import { browserOf } from "./browser";
import { Field } from "./Field";
import { Joined } from "./Joined";
import type { Own } from "./own";
import { SecondFactor } from "./SecondFactor";

const text = words.security;

/** Password, the second factor and the address; and, last since they grow when they are read, where somebody is signed in and by what else. */
export function Security({ failed, ...own }: Own & { failed: string }) {
  return (
    <>
      <h1>{text.heading}</h1>
      {own.mine.account.password ? <Password /> : <NoPassword />}
      <SecondFactor {...own} />
      <Email now={own.mine.account.email} />
      <Places {...own} />
      <Joined {...own} failed={failed} />
    </>
  );
}

/** Of who came from elsewhere: what takes a password is open once they have one. */
function NoPassword() {
  return (
    <section class="card box">
      <h2>{text.password.heading}</h2>
      <p>{text.password.none}</p>
      <p>
        <a href="/account/forgot">{text.password.choose}</a>
      </p>
    </section>
  );
}

function Password() {
  const [now, setNow] = useState("");
  const [next, setNext] = useState("");
  const [done, setDone] = useState(false);
  const { busy, problem, act } = useAccountAct();
  const submit = (event: Event) => {
    event.preventDefault();
    setDone(false);
    void act(async () => {
      await api.setPassword(now, next);
      setNow("");
      setNext("");
      setDone(true);
    });
  };
  return (
    <form class="card box" onSubmit={submit}>
      <h2>{text.password.heading}</h2>
      <Field label={text.password.now} name="now" type="password" autocomplete="current-password" needed value={now} set={setNow} />
      <Field label={text.password.new} name="new" type="password" autocomplete="new-password" needed hint={words.signUp.passwordHint} value={next} set={setNext} />
      <p class={problem ? "wrong told" : "note told"} role="status">
        {problem || (done ? text.password.done : "")}
      </p>
      <button type="submit" disabled={busy}>
        {text.password.submit}
      </button>
    </form>
  );
}

function Email({ now }: { now: string }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [sent, setSent] = useState("");
  const { busy, problem, act } = useAccountAct();
  const submit = (event: Event) => {
    event.preventDefault();
    setSent("");
    void act(async () => {
      await api.setEmail(password, email.trim());
      setSent(email.trim());
      setPassword("");
    });
  };
  return (
    <form class="card box" onSubmit={submit}>
      <h2>{text.email.heading}</h2>
      <p>{text.email.now(now)}</p>
      <Field label={text.email.new} name="email" type="email" autocomplete="email" needed value={email} set={setEmail} />
      <Field label={words.password} name="password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
      <p class={problem ? "wrong told" : "note told"} role="status">
        {problem || (sent ? text.email.sent(sent) : "")}
      </p>
      <button type="submit" disabled={busy}>
        {text.email.submit}
      </button>
    </form>
  );
}

function Places({ mine, changed }: Own) {
  const [list, setList] = useState<SignInPlace[]>();
  const [asking, setAsking] = useState("");
  const [told, setTold] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const { busy, problem, act } = useAccountAct();
  const look = useAsking(async (over) => {
    try {
      const found = await api.places();
      if (over()) return;
      setList(found);
      setAsking("");
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 401) return void changed(); // signed out elsewhere
      setAsking(unanswered(cause));
      return soon;
    }
  }, [mine.account.second_factor]); // a second factor ends other sign-ins
  useEffect(() => {
    if (told) heading.current?.focus(); // the button that was pressed goes with its line
  }, [told]);
  const end = (todo: () => Promise<unknown>, said: string) =>
    void act(async () => {
      setTold("");
      await todo();
      setTold(said);
      look();
    });
  const name = (place: SignInPlace) => {
    const found = browserOf(place.agent);
    return found === undefined ? text.places.unknown : text.places.on(found.browser, found.system);
  };
  return (
    <section class="card box places">
      <h2 ref={heading} tabIndex={-1}>
        {text.places.heading}
      </h2>
      <p class={problem || asking ? "wrong told" : "note told"} role="status">
        {problem || asking || (list === undefined ? common.loading : told)}
      </p>
      <ul>
        {list?.map((place) => (
          <li key={place.id}>
            <div>
              <b title={place.agent}>{name(place)}</b>
              {place.here && <span class="here">{text.places.here}</span>}
              <p class="note">{text.places.since(place.at)}</p>
              <p class="note">{text.places.seen(place.seen)}</p>
            </div>
            {!place.here && (
              <button type="button" disabled={busy} aria-label={text.places.endOf(name(place))} onClick={() => end(() => api.endPlace(place.id), text.places.ended)}>
                {text.places.end}
              </button>
            )}
          </li>
        ))}
      </ul>
      {list && list.length > 1 && (
        <button type="button" disabled={busy} onClick={() => end(api.endOthers, text.places.endedOthers)}>
          {text.places.others}
        </button>
      )}
    </section>
  );
}
