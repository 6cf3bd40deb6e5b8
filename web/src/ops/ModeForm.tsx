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

/** How the sale admits: one button a mode. */
export function ModeForm(props: Steered) {
  const { live } = props;
  const [reason, setReason] = useState("");
  const [texts, setTexts] = useState(blank);
  const [asked, ask] = useState<Mode>();
  const { busy, said, wrong, steer } = useSteering(props);
  const change = (mode: Mode) => {
    ask(undefined);
    const public_reason = filled(texts);
    const reset = () => {
      setReason("");
      setTexts(blank);
    };
    steer({ set: { mode }, expect: { mode: live.mode }, reason: reason.trim(), ...(public_reason ? { public_reason } : {}) }, words.mode.done(words.mode.name[mode]), reset, () => words.mode.changed);
  };
  const press = (mode: Mode) => {
    if (reason.trim() === "") return wrong(words.reasonMissing);
    if (grave.includes(mode)) return ask(mode);
    change(mode);
  };
  return (
    <div class="modes" role="group" aria-labelledby="modes">
      <h3 id="modes">{words.mode.heading}</h3>
      {live.mode !== "run" && live.reason !== "" && <p>{words.mode.now(live.reason)}</p>}
      <label>
        {words.mode.reason}
        <input name="mode-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <details>
        <summary>{words.mode.others}</summary>
        <p class="note">{words.mode.othersNote}</p>
        <Texts name="public" texts={texts} onTexts={setTexts} />
      </details>
      <ul>
        {modes.map((mode) => (
          <li key={mode}>
            <button type="button" class={mode} aria-pressed={live.mode === mode} disabled={busy || live.mode === mode} onClick={() => press(mode)}>
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
