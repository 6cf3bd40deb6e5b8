import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import { useAct } from "../look/act";
import { home } from "../messages/en";

interface Words {
  off: string;
  on: string;
  signIn: string;
  offOf?: (name: string) => string;
  onOf?: (name: string) => string;
}

/** Puts a performer on the reader's list, or takes them off. */
export const Follow = ({ id, name }: { id: string; name: string }) => <Toggle id={id} name={name} words={home.follow} ask={api.follows} on={api.follow} off={api.unfollow} />;

/** Has the reader told when a sale of an event opens, or not. */
export const Watch = ({ id, name }: { id: string; name: string }) => <Toggle id={id} name={name} words={home.watch} ask={api.watches} on={api.watch} off={api.unwatch} guest={(signIn) => <Wish id={id} signIn={signIn} />} />;

/** Who is not signed in leaves an address, to which a letter comes that asks first. Closed it is as high as the button of who is: nothing below moves. */
function Wish({ id, signIn }: { id: string; signIn: ComponentChildren }) {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState("");
  const { busy, problem, act } = useAct(() => undefined, home.lost);
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await api.wish(id, email);
      setSent(email);
    });
  };
  return (
    <details>
      <summary class="button">{home.watch.off}</summary>
      <form onSubmit={submit} class="field">
        <label for="wish">{home.wish.email}</label>
        <input id="wish" type="email" required maxLength={254} autocomplete="email" value={email} onInput={(event) => setEmail(event.currentTarget.value)} />
        <button type="submit" disabled={busy}>
          {home.wish.send}
        </button>
        <p class="note" role="status">
          {sent ? home.wish.sent(sent) : home.wish.note}
        </p>
        <p class="wrong" role="alert">
          {problem}
        </p>
      </form>
      {signIn}
    </details>
  );
}

/** Who is not signed in may do that first. */
function Toggle(props: {
  id: string;
  name: string;
  words: Words;
  ask: (id: string) => Promise<boolean | "nobody">;
  on: (id: string) => Promise<unknown>;
  off: (id: string) => Promise<unknown>;
  guest?: (signIn: ComponentChildren) => ComponentChildren;
}) {
  const { id, name, words, guest = (signIn) => signIn } = props;
  const [is, setIs] = useState<boolean | "nobody">();
  const { busy, problem, act } = useAct(() => undefined, home.lost);
  useEffect(() => {
    props.ask(id).then(setIs, () => {}); // there may be no accounts: then there is no button
  }, [id]);
  const set = (next: boolean) =>
    void act(async () => {
      await (next ? props.on(id) : props.off(id));
      setIs(next);
    });
  return (
    <div class="follow">
      {is === "nobody" &&
        guest(
          <a class="button" href={`/account?back=${encodeURIComponent(location.pathname)}`}>
            {words.signIn}
          </a>,
        )}
      {typeof is === "boolean" && (
        <button type="button" class={is ? "on" : ""} disabled={busy} onClick={() => set(!is)} aria-label={(is ? words.onOf : words.offOf)?.(name)}>
          {is ? words.on : words.off}
        </button>
      )}
      <p class="wrong" role="alert">
        {problem}
      </p>
    </div>
  );
}
