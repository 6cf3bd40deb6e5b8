import { useRef } from "preact/hooks";
import * as api from "../api/account";
import { usePages } from "../look/pages";
import { account as words, common } from "../messages/en";
import { signedOut, useAccountAct } from "./act";
import type { Own } from "./own";

const text = words.following;

/** The performers whom the account follows. */
export function Following({ changed }: Own) {
  const { list, setList, problem: asking, more } = usePages(
    async (cursor) => {
      const got = await api.following(cursor);
      return { list: got.performers, next: got.next };
    },
    [],
    { refused: signedOut(changed) },
  );
  const heading = useRef<HTMLHeadingElement>(null);
  const { busy, problem, act } = useAccountAct();
  const letGo = (id: string) =>
    void act(async () => {
      await api.unfollow(id);
      setList(list?.filter((each) => each.id !== id));
      heading.current?.focus(); // the button that was pressed is gone
    });
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        {text.heading}
      </h1>
      <p class={problem || asking ? "wrong told" : "note told"} role="status">
        {problem || asking || (list === undefined ? common.loading : list.length === 0 ? text.none : "")}
      </p>
      <ul class="places">
        {list?.map((each) => (
          <li key={each.id}>
            <div>
              <a dir="auto" href={`/performers/${each.id}`}>
                {each.name}
              </a>
              <p class="note">{each.next ? text.next(each.next, each.shows) : text.nothing}</p>
            </div>
            <button type="button" disabled={busy} aria-label={text.letGoOf(each.name)} onClick={() => letGo(each.id)}>
              {text.letGo}
            </button>
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
