import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import { elsewhere as words } from "../messages/en";
import { useAct } from "./act";

/** The ways to sign in with an account of somewhere else, which leads to a page of ours then. first: what has to be done before. */
export function Elsewhere({ next, first }: { next: string; first?: () => Promise<unknown> }) {
  const [list, setList] = useState<api.Provider[]>(api.knownProviders());
  const { busy, problem, act } = useAct(() => undefined, words.lost);
  useEffect(() => {
    void api.providers().then(setList, () => {}); // the password is still there
  }, []);
  if (list.length === 0) return null;
  const go = (provider: api.Provider) =>
    act(async () => {
      await first?.();
      location.assign(await api.beginElsewhere(provider.name, next));
    });
  return (
    <div class="elsewhere" role="group" aria-label={words.label}>
      {list.map((each) => (
        <button key={each.name} type="button" disabled={busy} onClick={() => void go(each)}>
          {words.with(each.title)}
        </button>
      ))}
      <p class="wrong" role="alert">
        {problem}
      </p>
    </div>
  );
}
