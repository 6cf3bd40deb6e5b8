import { useEffect, useRef, useState } from "preact/hooks";
import { Refusal } from "../api/http";
import * as api from "../api/reviews";
import { useAct } from "../look/act";
import { usePages } from "../look/pages";
import { common, reviews as words } from "../messages/en";

const text = words.desk;

/** What people say of the organization's events: what waits for somebody to look at it, and the rest. */
export function Posts() {
  const heading = useRef<HTMLHeadingElement>(null);
  const [which, setWhich] = useState<api.Which>("waiting");
  const [said, say] = useState("");
  const { list, problem, look, more, busy } = usePages(
    async (cursor) => {
      const got = await api.queue(which, cursor);
      return { list: got.posts, next: got.next };
    },
    [which],
  );
  const done = (what: string) => {
    say(what);
    look();
    heading.current?.focus();
  };
  return (
    <section class="card part" aria-labelledby="posts">
      <h2 id="posts" ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      <p class="note">{text.lead}</p>
      <Setting say={say} />
      <label class="which">
        {text.which}
        <select value={which} onChange={(event) => setWhich(event.currentTarget.value as api.Which)}>
          {Object.entries(text.parts).map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <p class={problem ? "wrong" : "note"} role="status">
        {problem || said || (list?.length === 0 && text.none)}
      </p>
      <ul class="lines">
        {list?.map((each) => (
          <Line key={each.id + each.version} of={each} done={done} />
        ))}
      </ul>
      {more && (
        <button type="button" disabled={busy} onClick={more}>
          {words.more}
        </button>
      )}
    </section>
  );
}

/** Before it is shown, or after. */
function Setting({ say }: { say: (what: string) => void }) {
  const [is, setIs] = useState<api.Moderation>();
  const { busy, problem, act } = useAct(() => undefined, common.offline);
  useEffect(() => {
    api.moderation().then(setIs, () => {}); // what waits is read all the same
  }, []);
  const set = (before: boolean) =>
    void act(async () => {
      setIs(await api.setModeration(is!, before));
      say(before ? text.set.before : text.set.after);
    });
  return (
    <div>
      <label class="tick">
        <input type="checkbox" checked={is?.before ?? true} disabled={busy || is === undefined} onChange={(event) => set(event.currentTarget.checked)} />
        {text.before}
      </label>
      <p class="note">{text.afterNote}</p>
      <p class="wrong" role="alert">
        {problem}
      </p>
    </div>
  );
}

function Line({ of, done }: { of: api.Case; done: (what: string) => void }) {
  const [asked, ask] = useState<"refused" | "answered">();
  const [typed, type] = useState("");
  const { busy, problem, act } = useAct(() => undefined, common.offline);
  const doing = (todo: () => Promise<unknown>, what: string) =>
    void act(async () => {
      try {
        await todo();
      } catch (cause) {
        if (!(cause instanceof Refusal) || ![404, 412].includes(cause.status)) throw cause;
        what = text.changed;
      }
      done(what);
    });
  const send = (event: Event) => {
    event.preventDefault();
    if (asked === "refused") doing(() => api.decide(of, "refused", typed.trim()), text.done.refused);
    if (asked === "answered") doing(() => api.answer(of, typed.trim()), text.done.answered);
  };
  const open = (what: "refused" | "answered") => {
    type(what === "answered" ? (of.answer?.text ?? "") : "");
    ask(what);
  };
  const button = (name: string, todo: () => void) => (
    <button type="button" disabled={busy} aria-label={text.of(name, of.kind, of.name)} onClick={todo}>
      {name}
    </button>
  );
  return (
    <li data-post={of.state}>
      <div>
        <p>
          <b dir="auto">{text.what(of.kind, of.name)}</b> {of.stars !== undefined && words.stars(of.stars)}
        </p>
        <p class="note" dir="auto">
          {of.title}, {words.at(of.at)}
        </p>
        {of.on && (
          <p class="note" dir="auto">
            {text.on(of.on)}
          </p>
        )}
        <p class="plain" dir="auto">
          {of.text}
        </p>
        {of.answer && (
          <p class="plain" dir="auto">
            <b>{words.answer(of.answer.by)}:</b> {of.answer.text}
          </p>
        )}
        {of.reported > 0 && <p class="wrong">{text.reported(of.reported)}</p>}
        {of.reason && <p class="wrong">{text.refused(of.reason)}</p>}
        <p class="wrong" role="alert">
          {problem}
        </p>
        {asked && (
          <form onSubmit={send}>
            <label>
              {asked === "refused" ? text.reason : text.answerText}
              {asked === "refused" ? (
                <input maxLength={200} autocomplete="off" required value={typed} onInput={(event) => type(event.currentTarget.value)} />
              ) : (
                <textarea class="short" rows={4} maxLength={2000} required value={typed} onInput={(event) => type(event.currentTarget.value)} />
              )}
            </label>
            <p class="note">{asked === "refused" ? text.reasonHint : text.answerHint}</p>
            <div class="acts">
              <button type="button" disabled={busy} onClick={() => ask(undefined)}>
                {text.no}
              </button>
              <button type="submit" class="primary" disabled={busy}>
                {asked === "refused" ? text.hideGo : text.answerGo}
              </button>
            </div>
          </form>
        )}
      </div>
      {!asked && (
        <div class="acts">
          {(of.state !== "shown" || of.reported > 0) && button(of.state === "shown" ? text.keep : text.show, () => doing(() => api.decide(of, "shown"), text.done.shown))}
          {of.state !== "refused" && button(text.hide, () => open("refused"))}
          {of.state !== "refused" && of.kind !== "comment" && button(text.answer, () => open("answered"))}
        </div>
      )}
    </li>
  );
}
