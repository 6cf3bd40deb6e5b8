import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { StaffMessage } from "../api/documents";
import { news, ops as words } from "../messages/en";
import { moment } from "../messages/format";
import { Said, useRequest } from "./request";
import { blank, filled, Texts } from "./Texts";

interface Props {
  sale: string;
  /** What everybody is told now; undefined while that is not known. */
  message: StaffMessage | undefined;
  onChange: () => void;
}

/** What everybody who waits is told: written in their languages, looked at, sent, and taken away. */
export function MessageForm({ sale, message, onChange }: Props) {
  const w = words.message;
  const [texts, setTexts] = useState(blank);
  const [until, setUntil] = useState("");
  const [reason, setReason] = useState("");
  const { said, wrong, run } = useRequest();
  const typed = filled(texts);

  const set = (wanted: Record<string, string>, done: string) => {
    if (reason.trim() === "") return wrong(words.reasonMissing, "message-reason");
    const first = Object.keys(wanted)[0];
    const change = { texts: wanted, expect: message?.number ?? 0, reason: reason.trim(), ...(first === undefined ? {} : { default: first, ...(until === "" ? {} : { until: new Date(until).toISOString() }) }) };
    void run(
      async () => {
        await api.say(sale, change);
        setTexts(blank);
        setUntil("");
        setReason("");
        onChange();
      },
      done,
      async (refusal) => {
        if (refusal.code !== "message-changed") return undefined;
        onChange();
        return w.changed;
      },
    );
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (!typed) return wrong(w.nothing, "message-text-0");
    set(typed, w.sent);
  };

  return (
    <form onSubmit={submit} noValidate>
      <h3>{w.heading}</h3>
      {message === undefined ? <p class="note">{words.reading}</p> : message.number === 0 ? <p class="note">{w.none}</p> : <Shown title={w.now} texts={message.texts} until={message.until} />}
      <Texts name="message" texts={texts} onTexts={setTexts} />
      {typed && <Shown title={w.preview} texts={typed} until={until === "" ? undefined : new Date(until).toISOString()} />}
      <label>
        {w.until}
        <input name="message-until" type="datetime-local" step={1} value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
      </label>
      <label>
        {w.reason}
        <input name="message-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <Said said={said} />
      <div class="choices">
        <button type="submit">
          {w.send}
        </button>
        <button type="button" aria-disabled={!message?.number} onClick={() => (message?.number ? set({}, w.taken) : wrong(w.none))}>
          {w.take}
        </button>
      </div>
    </form>
  );
}

/** The message as fans see it: the first language is that of whoever reads none of them. */
function Shown({ title, texts, until }: { title: string; texts: Record<string, string>; until: string | undefined }) {
  return (
    <div class="shown">
      <p class="note">
        {title} {until && words.message.ends(moment(until))}
      </p>
      {Object.entries(texts).map(([lang, text]) => (
        <blockquote key={lang}>
          <b>{news.message}</b> <span class="note">{lang}</span>
          <p lang={lang} dir="auto">
            {text}
          </p>
        </blockquote>
      ))}
    </div>
  );
}
