import { useRef, useState } from "preact/hooks";
import * as api from "../api/ops";
import type { AuditRow, Planned } from "../api/documents";
import { ops as words } from "../messages/en";
import { Said, useRequest } from "./request";
import { changes, when, written } from "./settings";

/** What is planned, and calling it off. */
export function Schedule({ sale, planned, onChange }: { sale: string; planned: Planned[] | undefined; onChange: () => void }) {
  const w = words.schedule;
  const [reason, setReason] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const { said, wrong, run } = useRequest();
  const cancel = (id: string) => {
    if (reason.trim() === "") return wrong(words.reasonMissing, "cancel-reason");
    void run(async () => {
      await api.cancel(sale, id, reason.trim());
      setReason("");
      heading.current?.focus(); // the button is about to go
      onChange();
    }, w.canceled);
  };
  return (
    <section aria-labelledby="planned">
      <h3 id="planned" tabIndex={-1} ref={heading}>
        {w.heading}
      </h3>
      {!planned?.length && <p class="note">{planned ? w.none : words.reading}</p>}
      <ol>
        {planned?.map((each) => (
          <li key={each.id}>
            <time dateTime={each.at}>{when(each.at)}</time> <b>{written(each.set)}</b> <q>{each.reason}</q> <span class="note">{w.by(each.who)}</span>
            {each.state === "planned" ? (
              <button type="button" onClick={() => cancel(each.id)}>
                {w.cancel(when(each.at))}
              </button>
            ) : (
              <span class={each.state === "done" ? "well" : "wrong"}>
                {" "}
                {w.state[each.state]} {each.why}
              </span>
            )}
          </li>
        ))}
      </ol>
      {planned?.some((each) => each.state === "planned") && (
        <label>
          {w.reason}
          <input name="cancel-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      )}
      <Said said={said} />
    </section>
  );
}

/** Who did what, the newest first. */
export function Audit({ rows }: { rows: AuditRow[] | undefined }) {
  // An intention is shown for as long as nothing is known of what came of it.
  const told = new Set(rows?.filter((row) => row.kind !== "intended").map((row) => row.change));
  const done = rows?.filter((row) => row.kind !== "intended" || !told.has(row.change));
  return (
    <section class="audit" aria-labelledby="audit">
      <h3 id="audit">{words.audit.heading}</h3>
      {!done?.length && <p class="note">{done ? words.audit.none : words.reading}</p>}
      <ol class="rows" tabIndex={0} aria-labelledby="audit">
        {done?.map((row) => (
          <li key={row.id}>
            <time dateTime={row.at}>{when(row.at)}</time> <b>{row.who}</b> {row.via && <span class="note">{words.audit.via(row.via)}</span>}{" "}
            {row.kind === "effective" ? did(row) : <span class="wrong">{words.audit[row.kind](row.action)}</span>} {refusal(row)} <q>{row.reason}</q>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Why it was refused. */
const refusal = (row: AuditRow) => (row.kind === "refused" && (row.detail as { detail?: string } | null)?.detail) || "";

/** cap 100 → 200, or the name of an action that sets nothing. */
function did(row: AuditRow): string {
  const detail = row.detail as { was?: Record<string, unknown>; now?: Record<string, unknown> } | null;
  return changes(detail?.was ?? {}, detail?.now ?? {}) || row.action;
}
