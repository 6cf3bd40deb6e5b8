import { useEffect, useState } from "preact/hooks";
import { Door, isOpen } from "../desk/Door";
import { Top } from "../look/Top";
import { common, venues as words } from "../messages/en";
import { ChartMap } from "../shop/ChartMap";
import type { Tool } from "../shop/canvas";
import { Signs } from "../shop/Legend";
import { seatName } from "../shop/name";
import { Problem } from "../shop/Problem";
import { Drawing } from "./drawing";
import { NewArea, NewSection } from "./New";
import { Paint } from "./Paint";
import { Parts } from "./Parts";

const tools: Tool[] = [undefined, "box", "lasso", "move"];

/** Where a seat map is drawn and painted. */
export function DrawPage({ signInKey, venue }: { signInKey: string; venue: string }) {
  const [, redraw] = useState(0);
  const [drawing] = useState(() => new Drawing(() => redraw((n) => n + 1), venue));
  useEffect(() => void drawing.start(signInKey), []);
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => drawing.unsaved && event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);
  if (!isOpen(drawing)) return <Door of={drawing} page="shop venues" words={words.signIn} />;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void drawing.leave()} disabled={drawing.staff !== "yes" || drawing.unsaved}>
          {words.signOut}
        </button>
      </Top>
      <main class="shop venues draw">
        <div class="heading">
          <h1>{venue === "" ? words.draw.fresh : drawing.house ? words.draw.heading(drawing.plan.name) : common.loading}</h1>
          <a href={venue === "" ? "/desk/venues" : `?venue=${encodeURIComponent(venue)}`}>{words.draw.back}</a>
        </div>
        <Problem text={drawing.problem} />
        {drawing.stale && (
          <button type="button" onClick={() => void drawing.follow()} disabled={drawing.busy}>
            {words.draw.follow}
          </button>
        )}
        <p class="said" role="status">
          {drawing.notice}
        </p>
        {drawing.house && <Board drawing={drawing} />}
      </main>
    </>
  );
}

function Board({ drawing }: { drawing: Drawing }) {
  const { house } = drawing;
  const { plan, chart } = house!;
  const shortcut = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    if (event.shiftKey) drawing.redo();
    else drawing.undo();
  };
  return (
    <div class="board" onKeyDown={shortcut}>
      <section class="card map-card" aria-labelledby="drawn">
        <h2 id="drawn">{words.map.heading}</h2>
        <div class="line">
          <fieldset class="tools">
            <legend>{words.draw.tool}</legend>
            {tools.map((tool) => (
              <label key={tool ?? ""} class="check">
                <input type="radio" name="tool" checked={drawing.tool === tool} onChange={() => drawing.take(tool)} />
                {words.draw.tools[tool ?? "pan"]}
              </label>
            ))}
          </fieldset>
          <label class="check">
            <input type="checkbox" checked={drawing.out} onChange={(event) => drawing.takeOut(event.currentTarget.checked)} />
            {words.draw.out}
          </label>
        </div>
        <ChartMap
          chart={chart}
          label={words.draw.label}
          hint={words.draw.hint(drawing.tool ?? "pan", drawing.part !== undefined)}
          state={(unit) => drawing.state(unit)}
          pick={(seat) => drawing.pick(seat)}
          told={(seat) => <b>{words.map.seat(seatName(seat), plan.categories[seat.tier] ?? "")}</b>}
          tool={drawing.tool}
          drag={(path) => drawing.dragged(path)}
          outline={drawing.outline}
        >
          <Signs marks={chart.marks} />
        </ChartMap>
        <div class="line">
          <button type="button" onClick={() => drawing.undo()} disabled={!drawing.undoable}>
            {words.draw.undo}
          </button>
          <button type="button" onClick={() => drawing.redo()} disabled={!drawing.redoable}>
            {words.draw.redo}
          </button>
          <button type="button" onClick={() => drawing.chooseNone()} disabled={drawing.chosen.size === 0}>
            {words.draw.chooseNone}
          </button>
          <p class="note">{words.draw.chosen(drawing.chosen.size)}</p>
        </div>
      </section>
      <div class="side">
        <Paint drawing={drawing} />
        <Save drawing={drawing} />
      </div>
      <Parts drawing={drawing} />
      <div class="side">
        <NewSection drawing={drawing} />
        <NewArea drawing={drawing} />
      </div>
    </div>
  );
}

function Save({ drawing }: { drawing: Drawing }) {
  const [wrong, setWrong] = useState("");
  const fresh = drawing.venue === "";
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get("reason") ?? "").trim();
    const fault = drawing.plan.name.trim() === "" ? words.draw.nameMissing : !fresh && reason === "" ? words.file.why : "";
    setWrong(fault);
    if (fault === "") void drawing.save(reason);
  };
  return (
    <section class="card" aria-labelledby="save">
      <h2 id="save">{words.draw.save.heading}</h2>
      <form onSubmit={submit}>
        <label>
          {words.draw.name}
          <input name="name" maxLength={60} autocomplete="off" value={drawing.plan.name} onChange={(event) => drawing.make({ ...drawing.plan, name: event.currentTarget.value.trim() })} />
        </label>
        {!fresh && (
          <label>
            {words.file.reason}
            <input name="reason" maxLength={200} autocomplete="off" />
          </label>
        )}
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit" class="primary" disabled={drawing.busy || !drawing.unsaved}>
          {fresh ? words.draw.save.fresh : words.draw.save.next}
        </button>
        <p class="note">{drawing.unsaved ? words.draw.save.unsaved : words.draw.save.same}</p>
      </form>
      {drawing.faults.length > 0 && (
        <div class="faults" role="alert">
          <h3 class="wrong">{words.faults.heading(drawing.faults.length)}</h3>
          <ol>
            {drawing.faults.map((fault, i) => (
              <li key={i}>
                {fault.pointer ? (
                  <button type="button" class="quiet" onClick={() => drawing.jump(fault)}>
                    <span>{fault.detail}</span>
                  </button>
                ) : (
                  fault.detail
                )}
              </li>
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}
