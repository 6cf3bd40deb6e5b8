import { useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import type { Followed } from "../api/documents";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { account as words, common } from "../messages/en";
import { unanswered } from "../messages/problem";
import type { Own } from "./AccountPage";
import { useAccountAct } from "./act";

const text = words.following;

/** The performers whom the account follows. */
export function Following({ changed }: Own) {
  const [list, setList] = useState<Followed[]>();
  const [next, setNext] = useState("");
  const [asking, setAsking] = useState("");
  const pages = useRef(1);
  const heading = useRef<HTMLHeadingElement>(null);
  const { busy, problem, act } = useAccountAct();
  const look = useAsking(async (over) => {
    try {
      const all: Followed[] = [];
      let cursor = "";
      for (let page = 0; page === 0 || (page < pages.current && cursor !== ""); page++) {
        const got = await api.following(cursor);
        if (over()) return;
        all.push(...got.performers);
        cursor = got.next ?? "";
      }
      setList(all);
      setNext(cursor);
      setAsking("");
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 401) return void changed(); // signed out elsewhere
      setAsking(unanswered(cause));
      return soon;
    }
  }, []);
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
      {next !== "" && (
        <button
          type="button"
          onClick={() => {
            pages.current++;
            look();
          }}
        >
          {words.orders.more}
        </button>
      )}
    </>
  );
}
