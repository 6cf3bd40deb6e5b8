import { useState } from "preact/hooks";
import type { Auto, Live } from "../api/documents";
import { common, ops as words } from "../messages/en";
import { Said } from "./request";
import { type Steered, useSteering } from "./steering";

/** As admission/auto has them where nothing was set. */
const usual: Auto = { on: false, target_ms: 300, slow: 0.05, errors: 0.02, in_flight: 0 };

type Field = "target_ms" | "slow" | "errors" | "in_flight" | "min_rate" | "max_rate" | "min_cap" | "max_cap";
const bounds = ["min_rate", "max_rate", "min_cap", "max_cap"] as const;
const measures = ["target_ms", "slow", "errors", "in_flight"] as const;
/** Shares, shown in percent. */
const percent: Field[] = ["slow", "errors"];

/** A number as the form has it. */
function shownAs(live: Live, field: Field): string {
  const auto = { ...usual, ...live.auto };
  const value = (field in auto ? auto[field as (typeof measures)[number]] : live[field as (typeof bounds)[number]]) ?? 0;
  return String(percent.includes(field) ? Math.round(10_000 * value) / 100 : value);
}

/** The automatic mode, what it aims at and why it did what it did, and the bounds of cap and rate. */
export function AutoForm(props: Steered) {
  const { live } = props;
  const w = words.automatic;
  // What the SRE looked at when starting to type: the change is refused if it is not so any more.
  const [seen, setSeen] = useState<Live>();
  const [on, setOn] = useState<boolean>();
  const [typed, setTyped] = useState<Partial<Record<Field, string>>>({});
  const [reason, setReason] = useState("");
  const { said, wrong, steer } = useSteering(props);
  const shown = seen ?? live;
  const flies = on ?? shown.auto?.on ?? false;
  const value = (field: Field) => typed[field] ?? shownAs(shown, field);
  const differs = (field: Field) => typed[field] !== undefined && typed[field] !== shownAs(shown, field);
  const reset = () => {
    setSeen(undefined);
    setOn(undefined);
    setTyped({});
    setReason("");
  };
  const steered = flies !== (shown.auto?.on ?? false) || measures.some(differs);
  const number = (field: Field) => (percent.includes(field) ? Number(value(field)) / 100 : Number(value(field)));

  const submit = (event: Event) => {
    event.preventDefault();
    const moved = bounds.filter(differs);
    if (!steered && moved.length === 0) return wrong(words.limits.nothing);
    const odd = [...measures, ...bounds].find((field) => value(field).trim() === "" || !(Number(value(field)) >= 0));
    if (odd) return wrong(w.numbers, odd);
    if (reason.trim() === "") return wrong(words.reasonMissing, "auto-reason");
    const auto: Auto = { on: flies, target_ms: number("target_ms"), slow: number("slow"), errors: number("errors"), in_flight: number("in_flight") };
    const set = { ...Object.fromEntries(moved.map((field) => [field, number(field)])), ...(steered ? { auto: { ...shown.auto, ...auto } } : {}) };
    steer({ set, seen: shown, expect: { version: shown.version }, reason: reason.trim(), when: "" }, { done: words.limits.applied, reset, changed: setSeen });
  };
  const touch = () => setSeen((before) => before ?? live);
  const input = (field: Field) => (
    <label key={field}>
      {w.field[field]}
      <input
        name={field}
        type="number"
        inputMode="decimal"
        min={0}
        step="any"
        value={value(field)}
        onInput={(event) => {
          touch();
          const text = event.currentTarget.value;
          setTyped((all) => ({ ...all, [field]: text }));
        }}
      />
    </label>
  );

  return (
    <form onSubmit={submit} noValidate>
      <h3>{w.heading}</h3>
      <p class={live.auto?.on ? "well" : "note"}>
        {live.auto?.on ? w.on : w.off} {live.auto_why && words.auto(live.auto_why)}
      </p>
      <label class="check">
        <input
          type="checkbox"
          name="auto"
          checked={flies}
          onChange={(event) => {
            touch();
            setOn(event.currentTarget.checked);
          }}
        />
        {w.fly}
      </label>
      <div class="pair">{measures.map(input)}</div>
      <p class="note">{w.bounds}</p>
      <div class="pair">{bounds.map(input)}</div>
      <label>
        {words.limits.reason}
        <input name="auto-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <Said said={said} />
      <div class="choices">
        <button type="submit">
          {w.apply}
        </button>
        <button type="button" onClick={reset}>
          {common.cancel}
        </button>
      </div>
    </form>
  );
}
