import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import { useAct } from "../look/act";
import { home } from "../messages/en";

const words = home.follow;

/** Puts a performer on the reader's list, or takes them off. Who is not signed in may do that first. */
export function Follow({ id, name }: { id: string; name: string }) {
  const [followed, setFollowed] = useState<boolean | "nobody">();
  const { busy, problem, act } = useAct(() => undefined, home.lost);
  useEffect(() => {
    api.follows(id).then(setFollowed, () => {}); // there may be no accounts: then there is no button
  }, [id]);
  const set = (next: boolean) =>
    void act(async () => {
      await (next ? api.follow(id) : api.unfollow(id));
      setFollowed(next);
    });
  return (
    <div class="follow">
      {followed === "nobody" && (
        <a class="button" href={`/account?back=${encodeURIComponent(location.pathname)}`}>
          {words.signIn}
        </a>
      )}
      {typeof followed === "boolean" && (
        <button type="button" class={followed ? "on" : ""} disabled={busy} onClick={() => set(!followed)} aria-label={followed ? words.onOf(name) : words.offOf(name)}>
          {followed ? words.on : words.off}
        </button>
      )}
      <p class="wrong" role="alert">
        {problem}
      </p>
    </div>
  );
}
