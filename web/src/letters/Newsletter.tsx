import { useState } from "preact/hooks";
import type { Newsletter as Sent, Shown } from "../api/letters";
import { Dialog } from "../look/Dialog";
import { letters as words } from "../messages/en";
import type { Letters } from "./model";

const text = words.newsletter;

/** What an organization writes to those who have asked for it: a new one, and those before. */
export function Newsletter({ letters }: { letters: Letters }) {
  const [subject, setSubject] = useState("");
  const [body, setBody] = useState("");
  const [asked, ask] = useState<(Shown & { readers: number }) | undefined>();
  const { list, next } = letters.newsletters!;
  const draft = { subject: subject.trim(), text: body.trim() };
  const show = async (event: Event) => {
    event.preventDefault();
    ask(await letters.lookAtNewsletter(draft));
  };
  const send = async () => {
    ask(undefined);
    if (asked?.readers === 0 || !(await letters.sendNewsletter(draft))) return;
    setSubject("");
    setBody("");
  };
  return (
    <section class="card part" aria-labelledby="newsletter">
      <h2 id="newsletter">{text.heading}</h2>
      <p class="note">{text.lead}</p>
      <form onSubmit={(event) => void show(event)}>
        <label>
          {text.subject}
          <input name="newsletter-subject" maxLength={150} autocomplete="off" required value={subject} onInput={(event) => setSubject(event.currentTarget.value)} />
        </label>
        <label>
          {text.text}
          <textarea name="newsletter-text" rows={8} maxLength={5000} required value={body} onInput={(event) => setBody(event.currentTarget.value)} />
        </label>
        <div class="acts">
          <button type="submit" disabled={letters.busy}>
            {text.show}
          </button>
        </div>
      </form>
      {list.length > 0 && (
        <>
          <h3>{text.before}</h3>
          <ul class="lines">
            {list.map((each) => (
              <Line key={each.id} letters={letters} of={each} />
            ))}
          </ul>
        </>
      )}
      {next !== "" && (
        <button type="button" disabled={letters.busy} onClick={() => void letters.moreNewsletters()}>
          {words.more}
        </button>
      )}
      {asked && (
        <Dialog title={asked.readers === 0 ? text.nobody : text.ask(asked.readers)} no={text.no} yes={asked.readers === 0 ? text.close : text.yes(asked.readers)} onNo={() => ask(undefined)} onYes={() => void send()}>
          <iframe class="asked" title={words.preview.heading} sandbox="" srcdoc={asked.html} />
          {asked.readers > 0 && <p>{text.once}</p>}
        </Dialog>
      )}
    </section>
  );
}

function Line({ letters, of }: { letters: Letters; of: Sent }) {
  const under = of.waiting + of.posted;
  return (
    <li>
      <div>
        <b>{of.subject}</b>
        <p class="note">{text.by(of.at, of.who)}</p>
        <p>{text.state(of.sent, of.readers, under)}</p>
        {of.left > 0 && <p class="note">{text.left(of.left)}</p>}
        {of.failed > 0 && <p class="wrong">{text.failed(of.failed)}</p>}
      </div>
      {under > 0 && (
        <button type="button" disabled={letters.busy} onClick={() => void letters.lookAgain()}>
          {text.look}
        </button>
      )}
    </li>
  );
}
