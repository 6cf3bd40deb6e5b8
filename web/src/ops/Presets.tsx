import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { Preset } from "../api/documents";
import { ops as words } from "../messages/en";
import { Said, useRequest } from "./request";
import { written } from "./settings";
import { type Steered, useSteering } from "./steering";

interface Props extends Steered {
  presets: Preset[] | undefined;
}

/** Limits with a name: applied now or later, kept, and taken away. */
export function Presets(props: Props) {
  const { live, presets = [], onChange } = props;
  const w = words.presets;
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const [when, setWhen] = useState("");
  const { said, wrong, run, steer } = useSteering(props);
  const chosen = presets.find((preset) => preset.name === name);
  const reset = () => {
    setReason("");
    setWhen("");
  };
  /** The reason, if a preset is chosen and one is given. */
  const why = () => {
    if (!chosen) return wrong(w.none, "preset");
    if (reason.trim() === "") return wrong(words.reasonMissing, "preset-reason");
    return reason.trim();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const given = why();
    if (chosen && given) steer({ preset: chosen.name, seen: live, expect: { version: live.version }, reason: given, when }, { done: words.limits.applied, reset });
  };
  const remove = () => {
    const given = why();
    if (!chosen || !given) return;
    if (chosen.built_in) return wrong(w.builtIn);
    void run(async () => {
      await api.removePreset(chosen.name, given);
      setName("");
      reset();
      onChange();
    }, w.removed);
  };
  return (
    <div class="presets">
      <form onSubmit={submit} noValidate>
        <h3>{w.heading}</h3>
        <label>
          {w.name}
          <select name="preset" value={name} onChange={(event) => setName(event.currentTarget.value)}>
            <option value="">{w.choose}</option>
            {presets.map((preset) => (
              <option key={preset.name} value={preset.name}>
                {preset.name}
              </option>
            ))}
          </select>
        </label>
        <p class="note preview">{chosen ? told(chosen) : w.hint}</p>
        <label>
          {words.limits.reason}
          <input name="preset-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        <label>
          {words.limits.when}
          <input name="preset-when" type="datetime-local" step={1} value={when} onInput={(event) => setWhen(event.currentTarget.value)} />
        </label>
        <Said said={said} />
        <div class="choices">
          <button type="submit">{when === "" ? w.apply : words.limits.plan}</button>
          <button type="button" aria-disabled={!chosen || chosen.built_in === true} onClick={remove}>
            {w.remove}
          </button>
        </div>
      </form>
      <Keep {...props} />
    </div>
  );
}

/** Keeps cap and rate as they are under a name. */
function Keep({ live, onChange }: Props) {
  const w = words.presets;
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const { said, wrong, run } = useRequest();
  const submit = (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return wrong(w.nameMissing, "preset-name");
    if (reason.trim() === "") return wrong(words.reasonMissing, "keep-reason");
    void run(async () => {
      await api.savePreset(name.trim(), { set: { cap: live.cap, rate: live.rate }, reason: reason.trim() });
      setName("");
      setReason("");
      onChange();
    }, w.kept);
  };
  return (
    <details>
      <summary>{w.keep}</summary>
      <form onSubmit={submit} noValidate>
        <p class="note">{w.keepWhat(live.cap, live.rate)}</p>
        <label>
          {w.newName}
          <input name="preset-name" maxLength={64} autocapitalize="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          {words.limits.reason}
          <input name="keep-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        <Said said={said} />
        <button type="submit">{w.save}</button>
      </form>
    </details>
  );
}

function told(preset: Preset): string {
  const sets = [preset.share ? words.presets.share(preset.share) : "", preset.set ? written(preset.set) : ""].filter((part) => part !== "").join(", ");
  return [preset.note, words.presets.sets(sets)].filter((part) => part !== "").join(" ");
}
