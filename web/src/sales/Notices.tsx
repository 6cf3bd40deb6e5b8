import { useState } from "preact/hooks";
import type { Audience, Draft, Notice } from "../api/notices";
import { Dialog } from "../look/Dialog";
import { sales as words } from "../messages/en";
import type { Sales } from "./model";

const text = words.notices;

/** What is written to everybody who holds a ticket: something new, and what was. */
export function Notices({ sales }: { sales: Sales }) {
  const { notices } = sales;
  if (!sales.standing || !notices) return null;
  return (
    <section class="card notices" aria-labelledby="notices">
      <h2 id="notices">{text.heading}</h2>
      <Write key={sales.chosen} sales={sales} />
      {notices.length > 0 && (
        <>
          <h3>{text.before}</h3>
          <ul class="sent">
            {notices.map((each) => (
              <Sent key={each.id} sales={sales} notice={each} />
            ))}
          </ul>
          {sales.moreNotices !== "" && (
            <button type="button" disabled={sales.busy} onClick={() => void sales.olderNotices()}>
              {words.more}
            </button>
          )}
        </>
      )}
    </section>
  );
}

function Write({ sales }: { sales: Sales }) {
  const [whole, setWhole] = useState(false);
  const [subject, setSubject] = useState("");
  const [body, setBody] = useState("");
  const [wrong, setWrong] = useState("");
  const [asked, ask] = useState<Audience | undefined>();
  const several = sales.standing!.event.performances.length > 1;
  const draft: Draft = { ...(whole ? {} : { performance: sales.chosen }), subject: subject.trim(), text: body.trim() };
  const show = async () => {
    setWrong(draft.subject === "" || draft.text === "" ? text.missing : "");
    if (draft.subject !== "" && draft.text !== "") ask(await sales.audience(whole));
  };
  const send = async () => {
    ask(undefined);
    if (!(await sales.write(draft))) return;
    setSubject("");
    setBody("");
  };
  return (
    <>
      <p class="note">{text.lead}</p>
      {several && (
        <fieldset class="whom">
          <legend>{text.whom}</legend>
          {[false, true].map((all) => (
            <label key={String(all)} class="check">
              <input type="radio" name="whom" checked={whole === all} onChange={() => setWhole(all)} />
              {all ? text.event : text.performance}
            </label>
          ))}
        </fieldset>
      )}
      <label>
        {text.subject}
        <input name="subject" maxLength={150} autocomplete="off" value={subject} onInput={(event) => (setWrong(""), setSubject(event.currentTarget.value))} />
      </label>
      <label>
        {text.body}
        <textarea name="body" rows={6} maxLength={5000} value={body} onInput={(event) => (setWrong(""), setBody(event.currentTarget.value))} />
      </label>
      <p class="wrong" role="alert">
        {wrong}
      </p>
      <button type="button" disabled={sales.busy} onClick={() => void show()}>
        {text.show}
      </button>
      {asked && (
        <Dialog title={asked.holders === 0 ? text.nobody : text.ask(asked.holders)} no={text.no} yes={asked.holders === 0 ? text.close : text.yes(asked.holders)} onNo={() => ask(undefined)} onYes={() => (asked.holders === 0 ? ask(undefined) : void send())}>
          <div class="letter">
            <p>
              <b>{draft.subject}</b>
            </p>
            <p class="body">{draft.text}</p>
            <p class="note">{text.foot}</p>
          </div>
          {asked.silent > 0 && <p class="note">{text.silent(asked.silent)}</p>}
          {asked.holders > 0 && <p>{text.once}</p>}
        </Dialog>
      )}
    </>
  );
}

/** A message that was sent off, and how far it is. */
function Sent({ sales, notice }: { sales: Sales; notice: Notice }) {
  const under = notice.waiting + notice.posted;
  const failed = sales.failures?.of === notice.id ? sales.failures : undefined;
  return (
    <li>
      <p>
        <b>{notice.subject}</b>
      </p>
      <p class="note">{text.by(notice.at, notice.who, notice.performance === undefined)}</p>
      <p>{text.state(notice.sent, notice.holders, under)}</p>
      {under > 0 && <progress aria-label={text.progress(notice.subject)} max={notice.holders} value={notice.holders - under} />}
      {notice.left > 0 && <p class="note">{text.left(notice.left)}</p>}
      {notice.failed > 0 && (
        <>
          <p class="wrong">{text.failed(notice.failed)}</p>
          {!failed && (
            <button type="button" disabled={sales.busy} onClick={() => void sales.lookAtFailures(notice.id)}>
              {text.whoFailed}
            </button>
          )}
        </>
      )}
      {failed && (
        <>
          <ul class="refused">
            {failed.list.map((each) => (
              <li key={each.order}>
                <span>
                  {each.email ?? words.noEmail} <span class="note">{each.problem}</span>
                </span>
                <button type="button" disabled={sales.busy} onClick={() => void sales.look(each.order)} aria-label={`${words.open} ${each.order}`}>
                  {words.open}
                </button>
              </li>
            ))}
          </ul>
          {failed.next !== "" && (
            <button type="button" disabled={sales.busy} onClick={() => void sales.lookAtFailures(notice.id, failed.next)}>
              {words.more}
            </button>
          )}
        </>
      )}
    </li>
  );
}
