import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { account as words, elsewhere } from "../messages/en";
import { unanswered } from "../messages/problem";
import { useAccountAct } from "./act";
import { Field } from "./Field";
import type { Own } from "./own";

const text = words.security.joined;

/** The accounts elsewhere with which somebody signs in here; nothing where there are none and could be none. failed: what came of joining one just now. */
export function Joined({ mine, changed, failed }: Own & { failed: string }) {
  const [all, setAll] = useState<{ joined: api.Identity[]; providers: api.Provider[] }>();
  const [asking, setAsking] = useState("");
  const [told, setTold] = useState("");
  const [password, setPassword] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const { busy, problem, act } = useAccountAct();
  const look = useAsking(async (over) => {
    try {
      const [joined, providers] = await Promise.all([api.identities(), api.providers()]);
      if (over()) return;
      setAll({ joined, providers });
      setAsking("");
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 401) return void changed(); // this sign-in came by what is parted
      setAsking(unanswered(cause));
      return soon;
    }
  }, []);
  const shown = all !== undefined;
  useEffect(() => {
    if (shown && failed) heading.current?.focus(); // it is the last on the page
  }, [shown, failed]);
  if (all === undefined && asking === "") return null;
  if (all && all.joined.length + all.providers.length === 0) return null;
  const free = all?.providers.filter((each) => !all.joined.some((one) => one.title === each.title)) ?? [];
  const part = (one: api.Identity) =>
    void act(async () => {
      setTold("");
      await api.part(one.id);
      setTold(text.parted);
      heading.current?.focus(); // the button that was pressed goes with its line
      look();
    });
  return (
    <section class="card box places">
      <h2 ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      <p class={problem || asking || failed ? "wrong told" : "note told"} role="status">
        {problem || asking || told || failed}
      </p>
      {all && all.joined.length > 0 && (
        <ul>
          {all.joined.map((one) => (
            <li key={one.id}>
              <div>
                <b>{one.title ?? one.issuer}</b>
                <p class="note">{text.since(one.at)}</p>
              </div>
              <button type="button" disabled={busy} aria-label={text.partFrom(one.title ?? one.issuer)} onClick={() => part(one)}>
                {text.part}
              </button>
            </li>
          ))}
        </ul>
      )}
      {free.length > 0 && mine.account.password && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const name = (event.submitter as HTMLButtonElement | null)?.value ?? free[0]!.name;
            void act(async () => location.assign(await api.join(name, password, "/account/security")));
          }}
        >
          <p class="note">{text.lead}</p>
          <Field label={words.password} name="join-password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
          {free.map((each) => (
            <button key={each.name} type="submit" value={each.name} disabled={busy}>
              {text.join(each.title)}
            </button>
          ))}
        </form>
      )}
    </section>
  );
}

/** What is said of a sign-in elsewhere that came to nothing. */
export const failedOf = (code: string) => elsewhere.failed[code] ?? elsewhere.failedOther;
