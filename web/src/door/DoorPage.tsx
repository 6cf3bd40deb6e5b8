import { useEffect, useRef, useState } from "preact/hooks";
import { Door, isOpen } from "../desk/Door";
import { useAsking } from "../look/asking";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, door as words } from "../messages/en";
import { useAwake } from "../ticket/awake";
import { Camera } from "./camera";
import { DoorDesk, type Shown } from "./model";
import { Rules } from "./Rules";

/** What a reader types comes faster than people type. */
const typing = 300;

export function DoorPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [desk] = useState(() => new DoorDesk(() => redraw((n) => n + 1)));
  useEffect(() => void desk.start(signInKey), []);
  const again = useAsking(() => desk.look(), [desk.performance, desk.staff]);
  useEffect(() => {
    addEventListener("online", again);
    return () => removeEventListener("online", again);
  }, []);
  useAwake();
  useReader((code) => void desk.scan({ code }));
  if (!isOpen(desk)) return <Door of={desk} page="door" words={words.signIn} />;
  return (
    <>
      <Top>
        <span class="note who">{desk.desk && words.who(desk.desk.who)}</span>
        <button type="button" onClick={() => void desk.leave()} disabled={desk.staff !== "yes" || !desk.online}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="door" staff={desk.staff === "yes"} />
      <main class="door">
        <h1>{words.heading}</h1>
        {!desk.kept && <p class={desk.problem ? "wrong" : "note"}>{desk.problem || (desk.shows?.length === 0 ? words.none : common.loading)}</p>}
        {desk.kept && <Open desk={desk} />}
      </main>
    </>
  );
}

function Open({ desk }: { desk: DoorDesk }) {
  return (
    <>
      <SetUp desk={desk} />
      <Result desk={desk} />
      <Reader desk={desk} />
      <p class="wrong" role="alert">
        {desk.problem}
      </p>
      <p class="note" role="status">
        {desk.notice}
      </p>
      <Standing desk={desk} />
      <LookUp desk={desk} />
      <Last desk={desk} />
      <Counts desk={desk} />
      <Doubles desk={desk} />
      {desk.desk!.may_set && <Rules desk={desk} />}
    </>
  );
}

/** Where this scanner stands. */
function SetUp({ desk }: { desk: DoorDesk }) {
  const { settings } = desk.desk!;
  return (
    <details class="card set-up">
      <summary>{words.setUp(desk.door, desk.out)}</summary>
      <label>
        {words.performance}
        <select value={desk.performance} onChange={(event) => void desk.choose(event.currentTarget.value)} disabled={desk.busy || !desk.online}>
          {(desk.shows ?? [desk.kept!.show]).map((each) => (
            <option key={each.id} value={each.id}>
              {words.listing(each.title, each.starts_at)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {words.door}
        <select value={desk.door} onChange={(event) => desk.stand(event.currentTarget.value, desk.out, desk.device)}>
          {settings.doors.map((each) => (
            <option key={each.name}>{each.name}</option>
          ))}
        </select>
      </label>
      {settings.reentry && (
        <div class="switch" role="group" aria-label={words.way}>
          <button type="button" aria-pressed={!desk.out} onClick={() => desk.stand(desk.door, false, desk.device)}>
            {words.in}
          </button>
          <button type="button" aria-pressed={desk.out} onClick={() => desk.stand(desk.door, true, desk.device)}>
            {words.out}
          </button>
        </div>
      )}
      <label>
        {words.device}
        <input value={desk.device} maxLength={40} pattern="[A-Za-z0-9][A-Za-z0-9 ._\-]*" onChange={(event) => desk.stand(desk.door, desk.out, event.currentTarget.value)} />
      </label>
    </details>
  );
}

/** Yes or no, to be seen from two metres. */
function Result({ desk }: { desk: DoorDesk }) {
  const last = desk.shown[0];
  const here = useRef<HTMLElement>(null);
  useEffect(() => here.current?.scrollIntoView({ block: "nearest" }), [last?.scan, desk.stuck]); // whoever looks something up has scrolled away
  if (desk.stuck) {
    return (
      <section ref={here} class="result no" role="alert">
        <strong>{words.no}</strong>
        <p>{desk.stuck}</p>
      </section>
    );
  }
  if (!last || desk.checking) {
    return (
      <section ref={here} class="result" aria-live="polite">
        <p>{desk.checking ? words.working : words.ready}</p>
      </section>
    );
  }
  return (
    <section ref={here} class={`result ${last.passed ? "yes" : "no"}`} role="alert" data-scan={last.scan}>
      <strong>{last.passed ? words.yes : words.no}</strong>
      {last.reason && <p class="why">{words.reason[last.reason]}</p>}
      {last.used && (
        <p>
          {words.used(last.used.at, last.used.door)}
          {last.used.who && ` ${words.usedBy(last.used.who)}`}
        </p>
      )}
      {last.off !== undefined && last.off !== 0 && <p>{words.off(last.off)}</p>}
      <p class="seat" dir="auto">
        {words.seat(last.seat, last.tier)}
      </p>
      {last.holder && <p dir="auto">{last.holder}</p>}
      {last.offline && <p>{words.offline}</p>}
    </section>
  );
}

function Reader({ desk }: { desk: DoorDesk }) {
  const video = useRef<HTMLVideoElement>(null);
  const [on, setOn] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!on) return;
    const camera = new Camera();
    setProblem("");
    camera.start(video.current!, (code) => void desk.scan({ code })).catch(() => {
      setProblem(words.noCamera);
      setOn(false);
    });
    return () => camera.stop();
  }, [on]);
  const submit = (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    void desk.scan({ code: String(new FormData(form).get("code")) });
    form.reset();
  };
  return (
    <section class="card reader" aria-label={words.camera}>
      <video ref={video} muted playsInline hidden={!on} aria-label={words.video} />
      <button type="button" class={on ? "" : "primary"} onClick={() => setOn(!on)}>
        {on ? words.stop : words.start}
      </button>
      <p class="wrong" role="alert">
        {problem}
      </p>
      <form class="line" onSubmit={submit}>
        <label>
          {words.code}
          <input name="code" autocomplete="off" autocapitalize="characters" spellcheck={false} required />
        </label>
        <button type="submit">{words.read}</button>
      </form>
    </section>
  );
}

/** What a reader types wherever the focus is, but in a field. */
function useReader(read: (code: string) => void): void {
  useEffect(() => {
    let typed = "";
    let at = 0;
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || (event.target as Element | null)?.matches("input, select, textarea")) return;
      if (event.timeStamp - at > typing) typed = "";
      at = event.timeStamp;
      if (event.key === "Enter" && typed.length >= 20) {
        event.preventDefault(); // it is no press of a button
        read(typed);
        typed = "";
      } else if (event.key.length === 1) typed += event.key;
    };
    addEventListener("keydown", pressed, true);
    return () => removeEventListener("keydown", pressed, true);
  }, []);
}

function Standing({ desk }: { desk: DoorDesk }) {
  const list = desk.list?.list;
  return (
    <section class="card standing" data-online={desk.online}>
      <p class={desk.online ? "good" : "wrong"}>
        <strong>{desk.online ? words.online : words.away}</strong>
      </p>
      {desk.badList && <p class="wrong">{words.badList}</p>}
      <p class="note">{list ? words.list(list.made_at, list.tickets.length) : Object.keys(desk.desk!.list_keys).length > 0 && desk.online ? words.loadingList : words.listless}</p>
      {desk.pageKept && <p class="note">{words.pageKept}</p>}
      <p class={desk.waiting > 0 ? "wrong" : "note"} data-waiting={desk.waiting}>
        {words.queue(desk.waiting)}
      </p>
    </section>
  );
}

function LookUp({ desk }: { desk: DoorDesk }) {
  const submit = (event: Event) => {
    event.preventDefault();
    void desk.lookUp(String(new FormData(event.currentTarget as HTMLFormElement).get("q")));
  };
  const act = desk.out ? words.letOut : words.letIn;
  return (
    <section class="card" aria-labelledby="look-up">
      <h2 id="look-up">{words.lookUp}</h2>
      <form class="line" onSubmit={submit}>
        <label>
          {words.query}
          <input name="q" minLength={2} maxLength={254} autocomplete="off" spellcheck={false} required />
        </label>
        <button type="submit" disabled={desk.busy || !desk.online}>
          {words.find}
        </button>
      </form>
      {desk.found?.length === 0 && <p class="note">{words.nothing}</p>}
      <ul class="rows found">
        {desk.found?.map((each) => (
          <li key={each.ticket}>
            <div>
              <p dir="auto">
                <strong>{words.seat(each.seat, each.tier)}</strong>
              </p>
              <p class="note" dir="auto">
                {[each.holder, !(each.used && each.state === "valid") && (words.state[each.state] ?? each.state), each.used && words.used(each.used.at, each.used.door)].filter(Boolean).join(" · ")}
              </p>
            </div>
            <button type="button" onClick={() => void desk.scan({ ticket: each.ticket })} disabled={desk.checking} aria-label={words.letFor(act, words.seat(each.seat, each.tier))}>
              {act}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Last({ desk }: { desk: DoorDesk }) {
  const [undoing, setUndoing] = useState<Shown>();
  if (desk.shown.length === 0) return null;
  const submit = async (event: Event) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get("reason"));
    await desk.undo(undoing!, reason);
    setUndoing(undefined);
  };
  return (
    <section class="card" aria-labelledby="last">
      <h2 id="last">{words.last}</h2>
      <ul class="rows">
        {desk.shown.map((each) => (
          <li key={each.scan}>
            <div>
              <p>
                <strong class={each.passed ? "good" : "wrong"}>{each.passed ? words.yes : words.no}</strong> <span dir="auto">{words.seat(each.seat, each.tier)}</span>
              </p>
              <p class="note">{[words.when(each.at, each.door), each.undone && words.taken].filter(Boolean).join(" · ")}</p>
            </div>
            {each.passed && !each.offline && !each.undone && desk.desk!.may_undo && undoing !== each && (
              <button type="button" onClick={() => setUndoing(each)} disabled={desk.busy || !desk.online} aria-label={words.undoFor(words.seat(each.seat, each.tier))}>
                {words.undo}
              </button>
            )}
            {undoing === each && (
              <form class="line" onSubmit={(event) => void submit(event)}>
                <label>
                  {words.undoReason}
                  <input name="reason" maxLength={200} required />
                </label>
                <button type="submit" disabled={desk.busy}>
                  {words.undo}
                </button>
              </form>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Counts({ desk }: { desk: DoorDesk }) {
  const { counts } = desk;
  if (!counts) return null;
  const refused = counts.refused.reduce((sum, each) => sum + each.scans, 0);
  const last = counts.minutes.at(-1);
  return (
    <section class="card counts" aria-labelledby="counts">
      <h2 id="counts">{words.counts}</h2>
      <p>{words.entered(counts.entered, counts.valid)}</p>
      <ul>
        {counts.zones.map((each) => (
          <li key={each.zone}>{words.zone(each.zone, each.inside)}</li>
        ))}
      </ul>
      {last && <p class="note">{words.perMinute(last.at, last.in)}</p>}
      {refused > 0 && <p class="note">{words.refused(refused)}</p>}
      <dl>
        {counts.doors.map((each) => (
          <div key={each.door}>
            <dt dir="auto">{each.door}</dt>
            <dd>{words.passages(each.in, each.out)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Doubles({ desk }: { desk: DoorDesk }) {
  if (!desk.counts) return null;
  return (
    <section class="card" aria-labelledby="doubles">
      <h2 id="doubles">{words.doubles}</h2>
      {desk.doubles.length === 0 && <p class="note">{words.noDoubles}</p>}
      <ul class="rows doubles">
        {desk.doubles.map((each) => (
          <li key={each.scan}>
            <div>
              <p dir="auto">
                <strong>{words.seat(each.seat, each.tier)}</strong>
              </p>
              <p dir="auto">{each.holder}</p>
              <p class="wrong">{each.reason && words.reason[each.reason]}</p>
              <p class="note">{[words.double(each.at, each.door, each.device), each.used && words.first(each.used.at, each.used.door)].filter(Boolean).join(" · ")}</p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
