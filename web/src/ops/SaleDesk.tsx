import { useEffect, useState } from "preact/hooks";
import * as api from "../api/ops";
import type { AuditRow, Live, Planned, Preset, Sample, StaffMessage } from "../api/documents";
import { ops as words } from "../messages/en";
import { clock as span, count, timeOfDay } from "../messages/format";
import { AutoForm } from "./AutoForm";
import { Charts } from "./Charts";
import { merged } from "./history";
import { LimitsForm } from "./LimitsForm";
import { MessageForm } from "./MessageForm";
import { ModeForm } from "./ModeForm";
import { Presets } from "./Presets";
import { SessionForm } from "./SessionForm";
import { Audit, Schedule } from "./Trail";

interface Props {
  live: Live;
  onLive: (live: Live) => void;
}

export function SaleDesk({ live, onLive }: Props) {
  const samples = useHistory(live);
  const records = useRecords(live);
  const controls = { live, onLive, onChange: records.again };
  return (
    <section class="desk card" aria-labelledby="desk">
      <div class="heading">
        <h2 id="desk">
          <a href={`/sales/${encodeURIComponent(live.sale)}`}>{live.title || live.sale}</a>
        </h2>
        <State live={live} />
      </div>
      <Use live={live} />
      <Numbers live={live} />
      <div class="remarks">
        {live.pace && <p class="wrong">{live.pace}</p>}
        <News live={live} />
        <p class="ways">
          <a href={`/sales/${encodeURIComponent(live.sale)}/ledger`}>{words.ledger}</a>
          <button type="button" class="quiet" onClick={() => document.getElementsByName("mode-reason")[0]?.focus()}>
            {words.toModes}
          </button>
        </p>
      </div>
      <h3 class="apart">{words.charts.heading}</h3>
      <Charts samples={samples} />
      <div class="controls">
        <LimitsForm {...controls} />
        <ModeForm {...controls} />
        <AutoForm {...controls} />
        <MessageForm sale={live.sale} message={records.message} onChange={records.again} />
        <Presets {...controls} presets={records.presets} />
        <div class="trail">
          {records.away && (
            <p class="wrong" role="status">
              {words.away}
            </p>
          )}
          <Schedule sale={live.sale} planned={records.planned} onChange={records.again} />
          <SessionForm sale={live.sale} onChange={records.again} />
        </div>
        <Audit rows={records.rows} />
      </div>
    </section>
  );
}

/** The samples of this sale, and each second what is new. */
function useHistory(live: Live): Sample[] {
  const [samples, setSamples] = useState<Sample[]>([]);
  const second = Math.floor(Date.parse(live.now) / 1000);
  useEffect(() => {
    let stopped = false;
    const more = async () => {
      const found = await api.history(live.sale, samples.at(-1)?.at ?? 0);
      if (!stopped && found.length > 0) setSamples((have) => merged(have, found));
    };
    more().catch(() => {}); // the page says that there is no answer; the next second asks again
    return () => {
      stopped = true;
    };
  }, [live.sale, second]);
  return samples;
}

/** What is written down of a sale; undefined is not known yet, or cannot be read. */
export interface Records {
  rows?: AuditRow[];
  planned?: Planned[];
  presets?: Preset[];
  message?: StaffMessage;
  /** Something could not be read: the database may be away while the sale goes on. */
  away?: boolean;
}

/** Asked for when something was changed, by whoever, and now and then. */
function useRecords(live: Live): Records & { again: () => void } {
  const [records, setRecords] = useState<Records>({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      const asked = [
        api.audit(live.sale).then((rows) => ({ rows })),
        api.schedule(live.sale).then((planned) => ({ planned })),
        api.presets().then((presets) => ({ presets })),
        api.message(live.sale).then((message) => ({ message })),
      ];
      const found = await Promise.allSettled<Records>(asked);
      if (stopped) return;
      // What cannot be read is not shown as it was: it may have changed.
      setRecords(Object.assign({ away: found.some((each) => each.status === "rejected") }, ...found.map((each) => (each.status === "fulfilled" ? each.value : {}))));
    };
    const soon = () => {
      look().catch(() => {}).finally(() => {
        if (!stopped) timer = setTimeout(soon, 5_000);
      });
    };
    soon();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [live.sale, live.version, round]);
  return { ...records, again: () => setRound((n) => n + 1) };
}

export function State({ live }: { live: Live }) {
  const opens = Date.parse(live.opens_at) - Date.parse(live.now);
  const state = live.phase === "ended" ? words.phase.ended : live.mode !== "run" ? words.mode.name[live.mode] : opens > 0 ? words.phase[live.phase] : words.mode.name.run;
  return (
    <p class={`state ${live.mode}`}>
      {state}
      {opens > 0 && ` · ${words.opens(span(opens))}`}
    </p>
  );
}

/** For who does not see the page: what somebody else changed, or what is wrong now. Numbers that move all the time are not said. */
function News({ live }: Pick<Props, "live">) {
  return (
    <p class="unseen" role="status">
      {words.mode.done(words.mode.name[live.mode])} {live.pace && words.paceWarning} {!live.holds && words.broken}
    </p>
  );
}

/** How much of the cap is in use: a bar, the cap its end; and the proof that it held. */
function Use({ live }: Pick<Props, "live">) {
  const used = live.active + live.offered;
  const share = (n: number) => `${live.cap > 0 ? Math.min(100, (100 * n) / live.cap) : 0}%`;
  const limit = live.proof.limit < 0 ? words.unlimited : count(live.proof.limit);
  return (
    <div class="use">
      <p>{words.use(used, live.cap)}</p>
      <div class="gauge" role="meter" aria-label={words.use(used, live.cap)} aria-valuenow={used} aria-valuemin={0} aria-valuemax={Math.max(live.cap, used)}>
        <i class="active" style={{ inlineSize: share(live.active) }} />
        <i class="offered" style={{ inlineSize: share(live.offered) }} />
      </div>
      <p class="note">
        {words.proof(live.proof.max_active, limit, timeOfDay(new Date(live.proof.since)))} {!live.holds && <b class="wrong">{words.broken}</b>}
      </p>
    </div>
  );
}

function Numbers({ live }: Pick<Props, "live">) {
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
