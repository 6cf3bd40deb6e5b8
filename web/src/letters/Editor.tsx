import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog } from "../look/Dialog";
import { letters as words } from "../messages/en";
import { AsItArrives } from "./AsItArrives";
import { type Field, keyOf, type Letters } from "./model";

const text = words.edit;
const settles = 400; // ms after the last key: a preview for each word, not for each letter

/** One letter in one language: its words, and what comes of them. */
export function Editor({ letters }: { letters: Letters }) {
  const wording = letters.wording!;
  const [reason, setReason] = useState("");
  const [asked, ask] = useState(false);
  const last = useRef<HTMLInputElement | HTMLTextAreaElement | null>(null);
  const { subject, text: body } = letters.typed;
  useEffect(() => {
    const soon = setTimeout(() => void letters.show(), settles);
    return () => clearTimeout(soon);
  }, [subject, body]);
  useEffect(() => setReason(""), [letters.chosen, wording.version]);
  const kinds = [...new Set(letters.wordings.map((each) => each.letter))];
  const languages = letters.wordings.filter((each) => each.letter === wording.letter).map((each) => each.language);
  const unsaved = letters.isUnsaved(letters.chosen);
  const insert = (name: string) => {
    const into = last.current ?? document.querySelector<HTMLTextAreaElement>(".letters textarea");
    if (!into) return;
    const at = into.selectionStart ?? into.value.length;
    const changed = `${into.value.slice(0, at)}{${name}}${into.value.slice(into.selectionEnd ?? at)}`;
    letters.type(into.name === "subject" ? { subject: changed } : { text: changed });
    requestAnimationFrame(() => {
      into.focus();
      into.setSelectionRange(at + name.length + 2, at + name.length + 2);
    });
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await letters.save(reason.trim()))) document.querySelector<HTMLElement>(".letters [aria-invalid=true]")?.focus();
  };
  const reset = () => {
    ask(false);
    void letters.reset(reason.trim());
  };
  const fault = (field: Field) => ({ "aria-invalid": letters.faults[field] !== undefined, "aria-describedby": `${field}-fault` });
  return (
    <section class="card part editor" aria-labelledby="edit">
      <h2 id="edit">{text.heading}</h2>
      <p class="note">{text.lead}</p>
      <div class="choices">
        <label>
          {text.letter}
          <select name="letter" value={wording.letter} onChange={(event) => letters.choose(`${event.currentTarget.value} ${wording.language}`)}>
            {kinds.map((each) => (
              <option key={each} value={each}>
                {text.kinds[each] ?? each}
              </option>
            ))}
          </select>
        </label>
        <label>
          {text.language}
          <select name="language" value={wording.language} onChange={(event) => letters.choose(`${wording.letter} ${event.currentTarget.value}`)}>
            {languages.map((each) => (
              <option key={each} value={each}>
                {text.languages[each] ?? each}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="note">
        {wording.own ? text.own(wording.version) : text.ours} {unsaved && <b>{text.unsaved}</b>}
      </p>
      {letters.theirs && (
        <div class="theirs" role="alert">
          <p>{text.theirs}</p>
          <p>
            <b>{letters.theirs.subject}</b>
          </p>
          <p class="plain">{letters.theirs.text}</p>
        </div>
      )}
      <div class="both">
        <form key={keyOf(wording)} onSubmit={(event) => void submit(event)}>
          <label>
            {text.subject}
            <input name="subject" maxLength={150} autocomplete="off" lang={wording.language} {...fault("subject")} value={subject} onFocus={(event) => (last.current = event.currentTarget)} onInput={(event) => letters.type({ subject: event.currentTarget.value })} />
          </label>
          <Fault letters={letters} field="subject" />
          <label>
            {text.text}
            <textarea name="text" rows={14} maxLength={5000} lang={wording.language} {...fault("text")} value={body} onFocus={(event) => (last.current = event.currentTarget)} onInput={(event) => letters.type({ text: event.currentTarget.value })} />
          </label>
          <Fault letters={letters} field="text" />
          <p class="note">{text.textHint}</p>
          <div class="names" role="group" aria-label={text.placeholders}>
            <span aria-hidden="true">{text.placeholders}</span>
            {wording.placeholders.map((each) => (
              <button key={each} type="button" onClick={() => insert(each)}>
                {`{${each}}`}
              </button>
            ))}
          </div>
          {wording.version > 0 && (
            <>
              <label>
                {text.reason}
                <input name="reason" maxLength={200} autocomplete="off" {...fault("reason")} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
              </label>
              <Fault letters={letters} field="reason" />
            </>
          )}
          <div class="acts">
            <button type="submit" class="primary" disabled={letters.busy}>
              {text.save}
            </button>
            {unsaved && (
              <button type="button" onClick={() => letters.discard()}>
                {text.discard}
              </button>
            )}
            {wording.own && (
              <button type="button" disabled={letters.busy} onClick={() => ask(true)}>
                {text.reset}
              </button>
            )}
          </div>
        </form>
        <AsItArrives shown={letters.shown} />
      </div>
      {asked && (
        <Dialog title={text.askReset} no={text.keep} yes={text.reset} onNo={() => ask(false)} onYes={reset}>
          <p>{text.askResetLead}</p>
        </Dialog>
      )}
    </section>
  );
}

function Fault({ letters, field }: { letters: Letters; field: Field }) {
  return (
    <p id={`${field}-fault`} class="wrong" role="alert">
      {letters.faults[field]}
    </p>
  );
}
