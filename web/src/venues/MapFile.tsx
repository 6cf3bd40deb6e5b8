import { useEffect, useRef, useState } from "preact/hooks";
import { type Fault, largest } from "../api/files";
import { venues as words } from "../messages/en";
import { type Excerpt, excerptOf } from "./excerpt";
import type { Refused, Venues } from "./model";

/** Sends the file of a seat map, and shows what is wrong with it. */
export function MapFile({ venues }: { venues: Venues }) {
  const [wrong, setWrong] = useState("");
  const fresh = venues.chosen === "";
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const file = form.get("file");
    const reason = String(form.get("reason") ?? "").trim();
    const chosen = file instanceof File && file.name !== "";
    const fault = !chosen ? words.file.missing : file.size > largest ? words.file.large : !fresh && reason === "" ? words.file.why : "";
    setWrong(fault);
    if (fault === "") await venues.keep(await (file as File).text(), reason);
  };
  return (
    <section class="card" aria-labelledby="file">
      <h2 id="file">{fresh ? words.create.heading : words.file.heading}</h2>
      <p class="note">{fresh ? words.create.lead : words.file.lead}</p>
      <form onSubmit={submit}>
        <label>
          {words.file.choose}
          <input type="file" name="file" accept="application/json,.json" />
        </label>
        {!fresh && (
          <label>
            {words.file.reason}
            <input name="reason" maxLength={200} autocomplete="off" />
          </label>
        )}
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit" class="primary" disabled={venues.busy}>
          {words.file.send}
        </button>
      </form>
      {fresh && (
        <p>
          <a class="button" href="?draw=1">
            {words.create.draw}
          </a>
        </p>
      )}
      {venues.refused && <Faults key={venues.refused.text.length} refused={venues.refused} />}
    </section>
  );
}

/** What is wrong with a file: each leads to where it is. */
export function Faults({ refused }: { refused: Refused }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef<HTMLDivElement>(null);
  const [excerpt, show] = useState<Excerpt>();
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => shown.current?.focus(), [excerpt]);
  const jump = (fault: Fault) => show(excerptOf(refused.text, fault));
  const there = (fault: Fault) => fault.line !== undefined || fault.pointer !== undefined;
  return (
    <div class="faults">
      <h3 ref={heading} tabIndex={-1} class="wrong">
        {words.faults.heading(refused.faults.length)}
      </h3>
      <ol>
        {refused.faults.map((fault, i) => (
          <li key={i}>
            {there(fault) ? (
              <button type="button" class="quiet" onClick={() => jump(fault)}>
                {fault.line !== undefined && <b>{words.faults.line(fault.line)}</b>}
                <span>{fault.detail}</span>
              </button>
            ) : (
              fault.detail
            )}
          </li>
        ))}
      </ol>
      {excerpt && (
        <div class="excerpt" ref={shown} tabIndex={0} role="group" aria-label={excerpt.line > 0 ? words.faults.around(excerpt.line) : words.faults.at(excerpt.pointer)}>
          {excerpt.lines.map((line) => (
            <code key={line.number} class={line.number === excerpt.line ? "here" : ""}>
              {line.number > 0 && <span>{line.number}</span>}
              {line.text}
            </code>
          ))}
        </div>
      )}
    </div>
  );
}
