import { useState } from "preact/hooks";
import * as api from "../api/account";
import { usePages } from "../look/pages";
import { account as words, common } from "../messages/en";
import { signedOut, useAccountAct } from "./act";
import type { Own } from "./own";

const text = words.newsletters;

/** Of whom the account gets newsletters: a box for each, which is not ticked by anybody else. */
export function Newsletters({ changed }: Own) {
  const { list, problem: asking, more, look } = usePages(
    async (cursor) => {
      const got = await api.newsletters(cursor);
      return { list: got.newsletters, next: got.next };
    },
    [],
    { refused: signedOut(changed) },
  );
  const [told, setTold] = useState("");
  const { busy, problem, act } = useAccountAct();
  const set = (each: api.Newsletter, wants: boolean) =>
    void act(async () => {
      await (wants ? api.subscribe(each.organization, text.box(each.name)) : api.unsubscribe(each.organization));
      setTold(wants ? text.on(each.name) : text.off(each.name));
      look();
    });
  return (
    <>
      <h1>{text.heading}</h1>
      <p>{text.lead}</p>
      <p class={problem || asking ? "wrong told" : "note told"} role="status">
        {problem || asking || (list === undefined ? common.loading : list.length === 0 ? text.none : told)}
      </p>
      <ul class="places">
        {list?.map((each) => (
          <li key={each.organization}>
            <div>
              <label class="newsletter">
                <input type="checkbox" disabled={busy} checked={each.state === "given"} onChange={(event) => set(each, event.currentTarget.checked)} />
                <span dir="auto">{text.box(each.name)}</span>
              </label>
              <p class="note">{text.state[each.state](each.since ?? "")}</p>
            </div>
          </li>
        ))}
      </ul>
      {more && (
        <button type="button" onClick={more}>
          {words.orders.more}
        </button>
      )}
    </>
  );
}
