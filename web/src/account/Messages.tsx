import { useState } from "preact/hooks";
import * as api from "../api/account";
import { usePages } from "../look/pages";
import { account as words, common } from "../messages/en";
import { moment } from "../messages/format";
import { signedOut, useAccountAct } from "./act";
import { Channels } from "./Channels";
import { parts } from "./links";
import type { Own } from "./own";

const text = words.messages;

/** What was told to the account; one that is opened is read. */
export function Messages({ changed }: Own) {
  const [unread, setUnread] = useState(0);
  const { list, setList, problem: asking, more } = usePages(
    async (cursor) => {
      const got = await api.messages(cursor);
      setUnread(got.unread);
      return { list: got.messages, next: got.next };
    },
    [],
    { refused: signedOut(changed) },
  );
  const { busy, problem, act } = useAccountAct();
  const mark = (one: api.Message, read: boolean) => {
    if (one.read === read) return;
    void act(async () => {
      await api.markMessage(one.id, read);
      setList(list?.map((each) => (each.id === one.id ? { ...each, read } : each)));
      setUnread((n) => n + (read ? -1 : 1));
    });
  };
  return (
    <>
      <h1>{text.heading}</h1>
      <p>{text.lead}</p>
      <p class={problem || asking ? "wrong told" : "note told"} role="status">
        {problem || asking || (list === undefined ? common.loading : list.length === 0 ? text.none : text.unread(unread))}
      </p>
      <ul class="letters">
        {list?.map((each) => (
          <li key={each.id}>
            <details onToggle={(event) => event.currentTarget.open && mark(each, true)}>
              <summary>
                <span dir="auto" class={each.read ? "" : "fresh"}>
                  {each.subject || text.untold}
                </span>
                <span class="note">
                  {!each.read && <b>{text.fresh} </b>}
                  {moment(each.at)}
                </span>
              </summary>
              <p class="plain" dir="auto">
                {parts(each.text).map((part, i) =>
                  part.address === undefined ? (
                    part.text
                  ) : (
                    <a key={i} href={part.address}>
                      {part.text}
                    </a>
                  ),
                )}
              </p>
              {each.read && (
                <button type="button" disabled={busy} onClick={() => mark(each, false)}>
                  {text.again}
                </button>
              )}
            </details>
          </li>
        ))}
      </ul>
      {more && (
        <button type="button" onClick={more}>
          {words.orders.more}
        </button>
      )}
      <Channels />
    </>
  );
}
