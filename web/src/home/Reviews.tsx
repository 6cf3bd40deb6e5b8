import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/reviews";
import { useAct } from "../look/act";
import { usePages } from "../look/pages";
import { home, reviews as words } from "../messages/en";
import { PostForm } from "./PostForm";
import { Stars } from "./Stars";

/** Whether who reads is signed in, and what they may say; undefined: nobody knows yet, or there are no accounts. */
type Reader = api.Standing | "nobody" | undefined;

/** What people say of an event, and what who reads it has to say. */
export function Reviews({ event }: { event: string }) {
  const [reader, setReader] = useState<Reader>();
  const [mine, setMine] = useState<api.Own[]>([]);
  const [changes, setChanges] = useState(0); // how often something was written here: lists are read anew
  const [said, say] = useState("");
  useEffect(() => {
    let over = false;
    const look = async () => {
      const found = await api.standing(event);
      const own = found === "nobody" ? [] : await api.mine(event);
      if (over) return;
      setReader(found);
      setMine(own);
    };
    look().catch(() => {}); // there may be no accounts: then there is nothing to write with
    return () => void (over = true);
  }, [event, changes]);
  const status = useRef<HTMLParagraphElement>(null);
  const changed = (text: string) => {
    say(text);
    status.current?.focus(); // the form that had it is gone, and this may be out of sight
    setChanges((n) => n + 1);
  };
  const common = { event, reader, changed, changes };
  return (
    <>
      <p class="said" role="status" ref={status} tabIndex={-1}>
        {said}
      </p>
      <List {...common} kind="review" />
      <List {...common} kind="question" />
      {mine.length > 0 && <Yours mine={mine} changed={changed} />}
    </>
  );
}

interface Common {
  event: string;
  reader: Reader;
  changed: (text: string) => void;
  changes: number;
}

function List({ kind, ...common }: Common & { kind: "review" | "question" }) {
  const { event, changes } = common;
  const [order, setOrder] = useState<api.Order>("newest");
  const [rating, setRating] = useState<api.Rating>();
  const { list, problem, more, busy } = usePages(
    async (cursor) => {
      const got = await api.list(event, kind, order, cursor);
      setRating(got.rating);
      return { list: got.posts, next: got.next };
    },
    [event, kind, order, changes],
  );
  const review = kind === "review";
  return (
    <section class="said-of" aria-labelledby={`${kind}s`}>
      <h2 id={`${kind}s`}>{review ? words.heading : words.questions}</h2>
      {review && rating !== undefined && rating.count > 0 && (
        <div class="rated">
          <p>
            <Stars of={Math.round(rating.average)} /> {words.rating(rating.average, rating.count)}
          </p>
          <label>
            {words.order}
            <select value={order} onChange={(event) => setOrder(event.currentTarget.value as api.Order)}>
              {Object.entries(words.orders).map(([id, text]) => (
                <option key={id} value={id}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {problem && <p class="wrong">{problem}</p>}
      {list?.length === 0 && <p class="note">{review ? words.none : words.noQuestions}</p>}
      <ul class="posts">
        {list?.map((each) => (
          <li key={each.id}>
            <One of={each} {...common} />
          </li>
        ))}
      </ul>
      {more && (
        <button type="button" disabled={busy} onClick={more}>
          {words.more}
        </button>
      )}
      <MayWrite kind={kind} {...common} />
    </section>
  );
}

/** The way to say something, or why there is none. */
function MayWrite({ kind, event, reader, changed }: Common & { kind: "review" | "question" }) {
  if (reader === undefined) return null;
  if (reader === "nobody") {
    return (
      kind === "review" && (
        <a class="button" href={`/account?back=${encodeURIComponent(location.pathname)}`}>
          {words.signIn}
        </a>
      )
    );
  }
  if (kind === "review" && !reader.there) {
    return (
      <p class="note">
        {words.notThere} <a href="/account">{words.guest}</a>
      </p>
    );
  }
  const was = kind === "review" ? reader.review : undefined;
  return (
    <details class="write" key={was ? "change" : "write"}>
      <summary>{kind === "question" ? words.ask : was ? words.change : words.write}</summary>
      <PostForm kind={kind} about={{ event }} name={reader.name} was={was} done={changed} />
    </details>
  );
}

function One({ of, ...common }: Common & { of: api.Post }) {
  const { reader } = common;
  return (
    <article class="card post" aria-label={of.gone ? words.gone : of.kind === "review" ? words.by(of.name) : words.asked(of.name)}>
      {of.gone ? (
        <p class="note">{words.gone}</p>
      ) : (
        <>
          <p class="head">
            {of.stars !== undefined && (
              <span class="given">
                <Stars of={of.stars} /> {words.stars(of.stars)}
              </span>
            )}
            <b dir="auto">{of.name}</b>
            <span class="note">
              {words.at(of.at)}
              {of.edited && `, ${words.edited(of.edited)}`}
            </span>
          </p>
          <p class="text" dir="auto">
            {of.text}
          </p>
        </>
      )}
      {of.answer && (
        <blockquote class="answer">
          <p>
            <b dir="auto">{words.answer(of.answer.by)}</b> <span class="note">{words.at(of.answer.at)}</span>
          </p>
          <p class="text" dir="auto">
            {of.answer.text}
          </p>
        </blockquote>
      )}
      {(of.comments > 0 || typeof reader === "object") && <Comments of={of} {...common} />}
      {!of.gone && typeof reader === "object" && <Report of={of} />}
    </article>
  );
}

function Report({ of }: { of: api.Post }) {
  const [done, setDone] = useState(false);
  const { busy, problem, act } = useAct(() => undefined, home.lost);
  const report = () =>
    void act(async () => {
      await api.report(of.id);
      setDone(true);
    });
  return (
    <>
      {!done && (
        <button type="button" class="quiet" disabled={busy} aria-label={words.reportOf(of.name)} onClick={report}>
          {words.report}
        </button>
      )}
      <p class={problem ? "wrong" : "note"} role="status">
        {problem || (done && words.reported)}
      </p>
    </>
  );
}

/** What others have said to it, read once somebody wants to. */
function Comments({ of, event, reader, changed, changes }: Common & { of: api.Post }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="comments" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.comments(of.comments)}</summary>
      {open && <CommentList of={of} event={event} reader={reader} changes={changes} />}
      {open && !of.gone && typeof reader === "object" && <PostForm kind="comment" about={{ parent: of.id }} name={reader.name} done={changed} />}
    </details>
  );
}

function CommentList({ of, event, reader, changes }: { of: api.Post; event: string; reader: Reader; changes: number }) {
  const { list, problem, more } = usePages(
    async (cursor) => {
      const got = await api.comments(event, of.id, cursor);
      return { list: got.comments, next: got.next };
    },
    [of.id, changes],
  );
  return (
    <>
      {problem && <p class="wrong">{problem}</p>}
      <ul>
        {list?.map((each) => (
          <li key={each.id}>
            <p>
              <b dir="auto">{each.name}</b> <span class="note">{words.at(each.at)}</span>
            </p>
            <p class="text" dir="auto">
              {each.text}
            </p>
            {typeof reader === "object" && <Report of={each} />}
          </li>
        ))}
      </ul>
      {more && (
        <button type="button" onClick={more}>
          {words.more}
        </button>
      )}
    </>
  );
}

/** Theirs, and how each stands. */
function Yours({ mine, changed }: { mine: api.Own[]; changed: (text: string) => void }) {
  const { busy, problem, act } = useAct(() => undefined, home.lost);
  const back = (of: api.Own) =>
    void act(async () => {
      await api.takeBack(of.id);
      changed(words.took);
    });
  return (
    <section class="said-of" aria-labelledby="yours">
      <h2 id="yours">{words.yours}</h2>
      <p class="wrong" role="alert">
        {problem}
      </p>
      <ul class="posts">
        {mine.map((each) => (
          <li key={each.id} class="card post">
            <p class="text" dir="auto">
              {each.text}
            </p>
            <p class={each.state === "refused" ? "wrong" : "note"}>{each.state === "refused" ? words.refused(each.reason ?? "") : words.state[each.state]}</p>
            <button type="button" disabled={busy} aria-label={words.takeBackOf(each.kind)} onClick={() => back(each)}>
              {words.takeBack}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
