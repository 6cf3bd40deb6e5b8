import { useState } from "preact/hooks";
import type { Mode } from "../api/documents";
import { Dialog } from "../look/Dialog";
import { common, ops as words } from "../messages/en";
import { Said } from "./request";
import { type Steered, useSteering } from "./steering";
import { blank, filled, Texts } from "./Texts";

const modes: Mode[] = ["run", "pause", "drain", "queue", "pass", "stop"];
/** In these nobody, or everybody, passes: asked once more. */
const grave: Mode[] = ["pass", "stop"];
/** The reason of these is shown to the fans. */
const told: Mode[] = ["pause", "queue", "stop"];

/** How the sale admits: one button a mode. */
export function ModeForm(props: Steered) {
  const { live } = props;
  const [reason, setReason] = useState("");
  const [texts, setTexts] = useState(blank);
  const [when, setWhen] = useState("");
  const [asked, ask] = useState<Mode>();
  const { said, wrong, steer } = useSteering(props);
  const reset = () => {
    setReason("");
    setTexts(blank);
    setWhen("");
  };
  const change = (mode: Mode) => {
    ask(undefined);
    const wanted = { set: { mode }, seen: live, expect: { mode: live.mode }, reason: reason.trim(), public_reason: filled(texts), when };
    steer(wanted, { done: words.mode.done(words.mode.name[mode]), reset });
  };
  const press = (mode: Mode) => {
    if (idle(mode)) return;
    if (reason.trim() === "") return wrong(words.reasonMissing, "mode-reason");
    if (grave.includes(mode) && when === "") return ask(mode);
    change(mode);
  };
  /** Nothing would come of it. The mode that is on can be given another reason. */
  const idle = (mode: Mode) => live.mode === mode && mode === "run" && when === "";
  return (
    <div class="modes" role="group" aria-labelledby="modes">
      <h3 id="modes">{words.mode.heading}</h3>
      {live.mode !== "run" && live.reason !== "" && (
        <p>
          {told.includes(live.mode) ? words.mode.now(live.reason) : words.mode.because(live.reason)} <span class="note">{words.mode.again}</span>
        </p>
      )}
      <label>
        {words.mode.reason}
        <input name="mode-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <details>
        <summary>{words.mode.others}</summary>
        <p class="note">{words.mode.othersNote}</p>
        <Texts name="public" texts={texts} onTexts={setTexts} />
      </details>
      <label>
        {words.limits.when}
        <input name="mode-when" type="datetime-local" step={1} value={when} onInput={(event) => setWhen(event.currentTarget.value)} />
      </label>
      <ul>
        {modes.map((mode) => (
          <li key={mode}>
            <button type="button" class={mode} aria-pressed={live.mode === mode} aria-disabled={idle(mode)} onClick={() => press(mode)}>
              {words.mode.name[mode]}
            </button>
            <span class="note">{words.mode.what[mode]}</span>
          </li>
        ))}
      </ul>
      <Said said={said} />
      {asked && (
        <Dialog title={words.mode.sure[asked as "pass" | "stop"]} no={common.back} yes={words.mode.name[asked]} onNo={() => ask(undefined)} onYes={() => change(asked)}>
          <p>{words.mode.what[asked]}</p>
        </Dialog>
      )}
    </div>
  );
}
