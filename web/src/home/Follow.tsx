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
export const Watch = ({ id, name }: { id: string; name: string }) => <Toggle id={id} name={name} words={home.watch} ask={api.watches} on={api.watch} off={api.unwatch} />;

/** Who is not signed in may do that first. */
function Toggle(props: {
  id: string;
  name: string;
  words: Words;
  ask: (id: string) => Promise<boolean | "nobody">;
  on: (id: string) => Promise<unknown>;
  off: (id: string) => Promise<unknown>;
}) {
  const { id, name, words } = props;
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
      {is === "nobody" && (
        <a class="button" href={`/account?back=${encodeURIComponent(location.pathname)}`}>
          {words.signIn}
        </a>
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
