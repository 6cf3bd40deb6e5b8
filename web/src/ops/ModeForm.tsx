import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { Mode } from "../api/documents";
import { Dialog } from "../look/Dialog";
import { common, ops as words } from "../messages/en";
import type { Steered } from "./LimitsForm";
import { Said, useRequest } from "./request";
import { blank, filled, Texts } from "./Texts";

const modes: Mode[] = ["run", "pause", "drain", "queue", "pass", "stop"];
/** In these nobody, or everybody, passes: asked once more. */
const grave: Mode[] = ["pass", "stop"];

/** How the sale admits: one button a mode. */
export function ModeForm({ live, onLive, onChange }: Steered) {
  const [reason, setReason] = useState("");
  const [texts, setTexts] = useState(blank);
  const [asked, ask] = useState<Mode>();
  const { busy, said, wrong, run } = useRequest();
  const change = (mode: Mode) => {
    ask(undefined);
    void run(
      async () => {
        const said = filled(texts);
        onLive(await api.steer(live.sale, { set: { mode }, expect: { mode: live.mode }, reason: reason.trim(), ...(said ? { public_reason: said } : {}) }));
        setReason("");
        setTexts(blank);
        onChange();
      },
      words.mode.done(words.mode.name[mode]),
      async (refusal) => {
        if (refusal.code !== "limits-changed") return undefined;
        onLive(await api.sale(live.sale));
        return words.mode.changed;
      },
    );
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
