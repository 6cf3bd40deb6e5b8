import { useState } from "preact/hooks";
import type { Settings } from "../api/door";
import { door as words } from "../messages/en";
import { doorOf, type Line, lineOf } from "./line";
import type { DoorDesk } from "./model";

/** Where organizers say which doors there are, and what opens them. */
export function Rules({ desk }: { desk: DoorDesk }) {
  return (
    <details class="card rules">
      <summary>{words.rules}</summary>
      <Form key={desk.desk!.settings.version} desk={desk} settings={desk.desk!.settings} />
    </details>
  );
}

function Form({ desk, settings }: { desk: DoorDesk; settings: Settings }) {
  const [lines, setLines] = useState(() => settings.doors.map(lineOf));
  const [printed, setPrinted] = useState(settings.printed);
  const [reentry, setReentry] = useState(settings.reentry);
  const [reason, setReason] = useState("");
  const change = (at: number, by: Partial<Line>) => setLines(lines.map((each, i) => (i === at ? { ...each, ...by } : each)));
  const submit = (event: Event) => {
    event.preventDefault();
    void desk.setRules({ printed, reentry, doors: lines.map(doorOf) }, reason);
  };
  return (
    <form onSubmit={submit}>
      <label class="check">
        <input type="checkbox" checked={printed} onChange={(event) => setPrinted(event.currentTarget.checked)} />
        {words.printed}
      </label>
      <label class="check">
        <input type="checkbox" checked={reentry} onChange={(event) => setReentry(event.currentTarget.checked)} />
        {words.reentry}
      </label>
      {lines.map((each, at) => (
        <fieldset key={at}>
          <legend>{words.doorNumber(at + 1)}</legend>
          <label>
            {words.doorName}
            <input value={each.name} maxLength={40} required onInput={(event) => change(at, { name: event.currentTarget.value })} />
          </label>
          <label>
            {words.doorZone}
            <input value={each.zone} maxLength={40} onInput={(event) => change(at, { zone: event.currentTarget.value })} />
          </label>
          <label>
            {words.doorAreas}
            <input value={each.areas} onInput={(event) => change(at, { areas: event.currentTarget.value })} />
          </label>
          {lines.length > 1 && (
            <button type="button" onClick={() => setLines(lines.filter((_, i) => i !== at))} aria-label={words.dropDoorNumber(at + 1)}>
              {words.dropDoor}
            </button>
          )}
        </fieldset>
      ))}
      {lines.length < 50 && (
        <button type="button" onClick={() => setLines([...lines, { name: "", zone: "", areas: "" }])}>
          {words.addDoor}
        </button>
      )}
      <label>
        {words.ruleReason}
        <input value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={desk.busy || !desk.online}>
        {words.keepRules}
      </button>
    </form>
  );
}
