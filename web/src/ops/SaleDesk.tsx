import { useState } from "preact/hooks";
import * as api from "../api/ops";
import type { Limits, Live } from "../api/documents";
import { Refusal } from "../api/http";
import { common, ops as words } from "../messages/en";
import { clock as span, count } from "../messages/format";

interface Props {
  live: Live;
  onLive: (live: Live) => void;
}

export function SaleDesk({ live, onLive }: Props) {
  const opens = Date.parse(live.opens_at) - Date.parse(live.now);
  const state = live.phase === "ended" ? words.phase.ended : live.paused ? words.paused : opens > 0 ? words.phase[live.phase] : words.running;
  return (
    <section class="desk card" aria-labelledby={`sale-${live.sale}`}>
      <div class="heading">
        <h2 id={`sale-${live.sale}`}>
          <a href={`/sales/${encodeURIComponent(live.sale)}`}>{live.title || live.sale}</a>
        </h2>
        <p class={`state ${live.paused ? "paused" : ""}`}>
          {state}
          {opens > 0 && ` · ${words.opens(span(opens))}`}
        </p>
      </div>
      <Use live={live} />
      <Numbers live={live} />
      <div class="controls">
        <LimitsForm live={live} onLive={onLive} />
        <PauseForm live={live} onLive={onLive} />
      </div>
    </section>
  );
}

/** How much of the cap is in use: a bar, the cap its end. */
function Use({ live }: { live: Live }) {
  const used = live.active + live.offered;
  const share = (n: number) => `${live.cap > 0 ? Math.min(100, (100 * n) / live.cap) : 0}%`;
  return (
    <div class="use">
      <p>{words.use(used, live.cap)}</p>
      <div class="gauge" role="meter" aria-label={words.use(used, live.cap)} aria-valuenow={used} aria-valuemin={0} aria-valuemax={Math.max(live.cap, used)}>
        <i class="active" style={{ inlineSize: share(live.active) }} />
        <i class="offered" style={{ inlineSize: share(live.offered) }} />
      </div>
    </div>
  );
}

function Numbers({ live }: { live: Live }) {
  const numbers: [string, number, string?][] = [
    [words.number.waiting, live.waiting],
    [words.number.offered, live.offered],
    [words.number.active, live.active],
    [words.number.admitted, live.admitted_last_minute, words.perMinute(live.rate)],
    [words.number.lastOffer, live.last_offer],
    [words.number.max, live.max_in_use],
  ];
  return (
    <dl class="numbers">
      {numbers.map(([name, value, under]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {count(value)}
            {under && <span class="note">{under}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Runs one request at a time; what it says is shown beside the button. */
function useRequest(onLive: (live: Live) => void) {
  const [busy, setBusy] = useState(false);
  const [said, say] = useState({ text: "", wrong: false });
  const run = async (request: () => Promise<Live>, done: string, explain?: (refusal: Refusal) => Promise<string | undefined>) => {
    if (busy) return;
    setBusy(true);
    try {
      onLive(await request());
      say({ text: done, wrong: false });
    } catch (cause) {
      const own = cause instanceof Refusal ? await explain?.(cause) : undefined;
      say({ text: own ?? (cause instanceof Refusal ? words.refused(cause.message || cause.code) : common.offline), wrong: true });
    }
    setBusy(false);
  };
  return { busy, said, say, run };
}

function Said(props: { said: { text: string; wrong: boolean } }) {
  return (
    <p class={`said ${props.said.wrong ? "wrong" : "note"}`} role="status">
      {props.said.text}
    </p>
  );
}

function LimitsForm({ live, onLive }: Props) {
  // What the SRE looked at when starting to type: the change is refused if it is not so any more.
  const [expect, setExpect] = useState<Pick<Limits, "cap" | "rate">>();
  const [cap, setCap] = useState("");
  const [rate, setRate] = useState("");
  const [reason, setReason] = useState("");
  const { busy, said, say, run } = useRequest(onLive);
  const shown = expect ?? live;
  const edit = (set: (value: string) => void) => (event: { currentTarget: HTMLInputElement }) => {
    setExpect((before) => before ?? { cap: live.cap, rate: live.rate });
    set(event.currentTarget.value);
  };
  const reset = () => {
    setExpect(undefined);
    setCap("");
    setRate("");
    setReason("");
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = { cap: cap === "" ? shown.cap : Number(cap), rate: rate === "" ? shown.rate : Number(rate) };
    if (![wanted.cap, wanted.rate].every((n) => Number.isInteger(n) && n >= 0)) return say({ text: words.limits.whole, wrong: true });
    if (reason.trim() === "") return say({ text: words.reasonMissing, wrong: true });
    const request = async () => {
      const now = await api.steer(live.sale, wanted, { cap: shown.cap, rate: shown.rate }, reason.trim());
      reset();
      return now;
    };
    void run(request, words.limits.applied, async (refusal) => {
      if (refusal.code !== "limits-changed") return undefined;
      const now = await api.sale(live.sale);
      onLive(now);
      setExpect({ cap: now.cap, rate: now.rate });
      return words.limits.changed(now.cap, now.rate);
    });
  };
  return (
    <form onSubmit={submit} noValidate>
      <h3>{words.limits.heading}</h3>
      <label>
        {words.limits.cap}
        <input name="cap" type="number" inputMode="numeric" min={0} step={1} placeholder={String(shown.cap)} value={cap} onInput={edit(setCap)} />
      </label>
      <label>
        {words.limits.rate}
        <input name="rate" type="number" inputMode="numeric" min={0} step={1} placeholder={String(shown.rate)} value={rate} onInput={edit(setRate)} />
      </label>
      <label>
        {words.limits.reason}
        <input name="reason" value={reason} onInput={edit(setReason)} />
      </label>
      <p class="note">{words.limits.reasonHint}</p>
      <Said said={said} />
      <button type="submit" class="primary" disabled={busy || (cap === "" && rate === "")}>
        {words.limits.apply}
      </button>
    </form>
  );
}

function PauseForm({ live, onLive }: Props) {
  const [reason, setReason] = useState("");
  const { busy, said, say, run } = useRequest(onLive);
  const submit = (event: Event) => {
    event.preventDefault();
    if (reason.trim() === "") return say({ text: words.reasonMissing, wrong: true });
    void run(async () => {
      const now = await api.steer(live.sale, { mode: live.paused ? "run" : "pause" }, { mode: live.mode }, reason.trim());
      setReason("");
      return now;
    }, "");
  };
  return (
    <form onSubmit={submit} noValidate>
      <h3>{live.paused ? words.pause.resumeHeading : words.pause.heading}</h3>
      {live.paused && <p>{words.pause.now(live.reason)}</p>}
      <label>
        {live.paused ? words.pause.resumeReason : words.pause.reason}
        <input name={live.paused ? "resume-reason" : "pause-reason"} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <Said said={said} />
      <button type="submit" class={live.paused ? "primary" : ""} disabled={busy}>
        {live.paused ? words.pause.resume : words.pause.pause}
      </button>
    </form>
  );
}
