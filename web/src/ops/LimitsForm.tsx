import { useState } from "preact/hooks";
import type { Live, Settings } from "../api/documents";
import { common, ops as words } from "../messages/en";
import { clock as span } from "../messages/format";
import { preview, reach, type Preview } from "./preview";
import { Said } from "./request";
import { type Steered, useSteering } from "./steering";

type Field = "cap" | "rate" | "session" | "claim";
const fields: Field[] = ["cap", "rate", "session", "claim"];

/** Cap, rate and times: sliders and numbers, what the change would do, now or for later. */
export function LimitsForm(props: Steered) {
  const { live } = props;
  // What the SRE looked at when starting to type: the change is refused if it is not so any more.
  const [seen, setSeen] = useState<Live>();
  const [typed, setTyped] = useState<Partial<Record<Field, string>>>({});
  const [shares, setShares] = useState<Record<string, string>>({});
  const [reason, setReason] = useState("");
  const [when, setWhen] = useState("");
  const { said, wrong, steer } = useSteering(props);
  const shown = seen ?? live;
  const value = (field: Field) => typed[field] ?? String(shown[field]);
  const edit = (field: Field) => (text: string) => {
    setSeen((before) => before ?? live);
    setTyped((all) => ({ ...all, [field]: text }));
  };
  const share = (lane: string) => shares[lane] ?? String(shown.shares?.[lane]);
  const editShare = (lane: string) => (text: string) => {
    setSeen((before) => before ?? live);
    setShares((all) => ({ ...all, [lane]: text }));
  };
  const reset = () => {
    setSeen(undefined);
    setTyped({});
    setShares({});
    setReason("");
    setWhen("");
  };
  const changed = fields.filter((field) => typed[field] !== undefined && Number(typed[field]) !== shown[field]);
  const lanes = Object.keys(shown.shares ?? {});
  const shared = lanes.some((lane) => Number(share(lane)) !== shown.shares?.[lane]);
  const texts: [string, string][] = [...changed.map((field): [string, string] => [field, value(field)]), ...lanes.map((lane): [string, string] => [`share-${lane}`, share(lane)])];
  const odd = texts.find(([, text]) => text === "" || !Number.isInteger(Number(text)) || Number(text) < 0)?.[0];
  const whole = odd === undefined;
  // The shares of all lanes belong together.
  const pick = (from: (field: Field) => number, of: (lane: string) => number): Settings => ({
    ...Object.fromEntries(changed.map((field) => [field, from(field)])),
    ...(shared ? { shares: Object.fromEntries(lanes.map((lane) => [lane, of(lane)])) } : {}),
  });

  const submit = (event: Event) => {
    event.preventDefault();
    if (changed.length === 0 && !shared) return wrong(words.limits.nothing);
    if (!whole) return wrong(words.limits.whole, odd);
    if (reason.trim() === "") return wrong(words.reasonMissing, "reason");
    const set = pick((field) => Number(value(field)), (lane) => Number(share(lane)));
    const expect = pick((field) => shown[field], (lane) => shown.shares?.[lane] ?? 0);
    if (set.rate !== undefined && shown.auto?.on) {
      // The automatic mode moves the rate every second: it is no news, but that somebody switched it is.
      delete expect.rate;
      expect.auto = shown.auto;
    }
    steer({ set, seen: shown, expect, reason: reason.trim(), when }, { done: words.limits.applied, reset, changed: setSeen });
  };

  return (
    <form onSubmit={submit} noValidate>
      <h3>{words.limits.heading}</h3>
      <Slider name="cap" label={words.limits.cap} value={value("cap")} end={reach(shown.cap, 50, live.max_cap)} least={live.min_cap} onValue={edit("cap")} />
      <Slider name="rate" label={words.limits.rate} value={value("rate")} end={reach(shown.rate, 100, live.max_rate)} least={live.min_rate} onValue={edit("rate")} />
      <p class="note preview" aria-live="polite">
        {changed.length > 0 && whole ? told(preview(live, { cap: Number(value("cap")), rate: Number(value("rate")) })) : words.limits.preview.none}
      </p>
      <div class="pair">
        <Count name="session" label={words.limits.session} value={value("session")} onValue={edit("session")} />
        <Count name="claim" label={words.limits.claim} value={value("claim")} onValue={edit("claim")} />
      </div>
      {lanes.length > 0 && (
        <fieldset class="shares">
          <legend>{words.limits.shares(100 - lanes.reduce((all, lane) => all + Number(share(lane)), 0))}</legend>
          <div class="pair">
            {lanes.map((lane) => (
              <Count key={lane} name={`share-${lane}`} label={lane} value={share(lane)} onValue={editShare(lane)} />
            ))}
          </div>
        </fieldset>
      )}
      <label>
        {words.limits.reason}
        <input name="reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <label>
        {words.limits.when}
        <input name="when" type="datetime-local" step={1} value={when} onInput={(event) => setWhen(event.currentTarget.value)} />
      </label>
      <Said said={said} />
      <div class="choices">
        <button type="submit" class="primary">
          {when === "" ? words.limits.apply : words.limits.plan}
        </button>
        <button type="button" onClick={reset}>
          {common.cancel}
        </button>
      </div>
    </form>
  );
}

interface Input {
  name: string;
  label: string;
  value: string;
  onValue: (text: string) => void;
}

function Slider({ name, label, value, end, least, onValue }: Input & { end: number; least: number }) {
  const input = (event: { currentTarget: HTMLInputElement }) => onValue(event.currentTarget.value);
  return (
    <div class="slider">
      <label for={name}>{label}</label>
      <input id={name} name={name} type="number" inputMode="numeric" min={least} step={1} value={value} onInput={input} />
      <input aria-label={words.limits.slider(label)} type="range" min={Math.min(least, end)} max={Math.max(end, Number(value) || 0)} step={1} value={value} onInput={input} />
    </div>
  );
}

function Count({ name, label, value, onValue }: Input) {
  return (
    <label>
      {label}
      <input name={name} type="number" inputMode="numeric" min={1} step={1} value={value} onInput={(event) => onValue(event.currentTarget.value)} />
    </label>
  );
}

function told(p: Preview): string {
  const w = words.limits.preview;
  const time = (seconds: number) => span(1000 * seconds);
  const parts = [
    p.above > 0 ? w.above(p.above) : w.room(p.room),
    p.filled !== undefined ? w.filled(time(p.filled)) : "",
    p.last === undefined ? w.nobody : p.last > 0 ? w.last(time(p.last)) : w.empty,
  ];
  return parts.filter((part) => part !== "").join(" ");
}
