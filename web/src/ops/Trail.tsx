import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { AuditRow, Settings } from "../api/documents";
import { ops as words } from "../messages/en";
import { count, timeOfDay } from "../messages/format";
import { Said, useRequest } from "./request";
import { type Steered, useSteering } from "./steering";
import type { Records } from "./SaleDesk";

/** What is planned, presets, and who did what. */
export function Trail(props: Steered & Records) {
  return (
    <div class="trail">
      {props.away && (
        <p class="wrong" role="status">
          {words.away}
        </p>
      )}
      <Presets {...props} />
      <Schedule {...props} />
      <Audit rows={props.rows} />
    </div>
  );
}

function Presets(props: Steered & Records) {
  const { live, presets = [] } = props;
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const { busy, said, wrong, steer } = useSteering(props);
  const chosen = presets.find((preset) => preset.name === name);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!chosen) return wrong(words.presets.none);
    if (reason.trim() === "") return wrong(words.reasonMissing);
    steer({ preset: chosen.name, expect: { version: live.version }, reason: reason.trim() }, words.limits.applied, () => setReason(""), () => words.automatic.changed);
  };
  return (
    <form onSubmit={submit} noValidate>
      <h3>{words.presets.heading}</h3>
      <label>
        {words.presets.name}
        <select name="preset" value={name} onChange={(event) => setName(event.currentTarget.value)}>
          <option value="">{words.presets.choose}</option>
          {presets.map((preset) => (
            <option key={preset.name} value={preset.name}>
              {preset.name}
            </option>
          ))}
        </select>
      </label>
      <p class="note preview">{chosen ? chosen.note : words.presets.hint}</p>
      <label>
        {words.limits.reason}
        <input name="preset-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <Said said={said} />
      <button type="submit" disabled={busy}>
        {words.presets.apply}
      </button>
    </form>
  );
}

function Schedule({ live, planned, onChange }: Steered & Records) {
  const { busy, said, run } = useRequest();
  const cancel = (id: string) =>
    void run(async () => {
      await api.cancel(live.sale, id, words.schedule.why);
      onChange();
    }, words.schedule.canceled);
  return (
    <section aria-labelledby="planned">
      <h3 id="planned">{words.schedule.heading}</h3>
      {!planned?.length && <p class="note">{planned ? words.schedule.none : words.reading}</p>}
      <ol>
        {planned?.map((each) => (
          <li key={each.id}>
            <time dateTime={each.at}>{timeOfDay(new Date(each.at))}</time> <b>{written(each.set)}</b> {each.reason} <span class="note">{words.schedule.by(each.who)}</span>
            {each.state === "planned" ? (
              <button type="button" disabled={busy} onClick={() => cancel(each.id)}>
                {words.schedule.cancel(timeOfDay(new Date(each.at)))}
              </button>
            ) : (
              <span class={each.state === "done" ? "well" : "wrong"}>
                {" "}
                {words.schedule.state[each.state]} {each.why}
              </span>
            )}
          </li>
        ))}
      </ol>
      <Said said={said} />
    </section>
  );
}

function Audit({ rows }: { rows: AuditRow[] | undefined }) {
  // An intention is shown for as long as nothing is known of what came of it.
  const told = new Set(rows?.filter((row) => row.kind !== "intended").map((row) => row.change));
  const done = rows?.filter((row) => row.kind !== "intended" || !told.has(row.change));
  return (
    <section aria-labelledby="audit">
      <h3 id="audit">{words.audit.heading}</h3>
      {!done?.length && <p class="note">{done ? words.audit.none : words.reading}</p>}
      <ol class="rows" tabIndex={0} aria-labelledby="audit">
        {done?.map((row) => (
          <li key={row.id}>
            <time dateTime={row.at}>{timeOfDay(new Date(row.at))}</time> <b>{row.who}</b> {row.via && <span class="note">{words.audit.via(row.via)}</span>}{" "}
            {row.kind === "effective" ? changes(row) : <span class="wrong">{words.audit[row.kind](row.action)}</span>} <q>{row.reason}</q>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** cap 100 → 200, or the name of an action that sets nothing. */
function changes(row: AuditRow): string {
  const detail = row.detail as { was?: Record<string, unknown>; now?: Record<string, unknown> } | null;
  const now = Object.entries(detail?.now ?? {});
  if (now.length === 0) return row.action;
  return now.map(([field, value]) => `${field} ${number(detail?.was?.[field])} → ${number(value)}`).join(", ");
}

const written = (set: Settings) =>
  Object.entries(set)
    .map(([field, value]) => `${field} ${number(value)}`)
    .join(", ");

function number(value: unknown): string {
  if (typeof value === "number") return count(value);
  return typeof value === "string" ? value : value === undefined ? "–" : JSON.stringify(value);
}
