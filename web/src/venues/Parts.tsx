import { useEffect, useRef, useState } from "preact/hooks";
import { shop, venues as words } from "../messages/en";
import { seatMarks } from "../shop/seats";
import { categoryOf, type PlanRow, type PlanSeat, type PlanSection, type Span } from "./plan";
import { move, paintArea, type Part, remove, rename, renameRow, resize } from "./edit";
import type { Drawing } from "./drawing";

/** Everything on the map as a list: whatever can be done with the mouse can be done here with the keyboard. */
export function Parts({ drawing }: { drawing: Drawing }) {
  const { plan, house } = drawing;
  return (
    <section class="card list-of-parts" aria-labelledby="parts">
      <h2 id="parts">{words.draw.parts}</h2>
      {plan.sections.length + plan.areas.length === 0 && <p class="note">{words.draw.empty}</p>}
      <ul>
        {plan.sections.map((section, i) => (
          <SectionPart key={i} drawing={drawing} section={section} at={i} span={house!.spans[i]!} />
        ))}
        {plan.areas.map((area, i) => (
          <li key={`area-${i}`}>
            <div class="line">
              <Name value={area.name} label={words.draw.area.name} named={(name) => drawing.make(rename(plan, { area: i }, name))} />
              <label>
                {words.draw.area.places}
                <input
                  type="number"
                  min={1}
                  max={4_000_000}
                  value={area.places}
                  onChange={(event) => event.currentTarget.validity.valid && event.currentTarget.value !== "" && drawing.make(resize(plan, i, Number(event.currentTarget.value)))}
                />
              </label>
              <label>
                {words.draw.category}
                <select value={area.category} onChange={(event) => drawing.make(paintArea(plan, i, event.currentTarget.value), words.draw.areaPainted(area.name, event.currentTarget.value))}>
                  {plan.categories.map((each) => (
                    <option key={each} value={each}>
                      {each}
                    </option>
                  ))}
                </select>
              </label>
            </div>
            <Place drawing={drawing} part={{ area: i }} name={area.name} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function SectionPart({ drawing, section, at, span }: { drawing: Drawing; section: PlanSection; at: number; span: Span & { rows: Span[] } }) {
  const open = drawing.open === at;
  return (
    <li>
      <div class="line">
        <Chosen drawing={drawing} span={span} label={words.draw.sectionHas(section.name, section.rows.length, span.count)} />
        <Name value={section.name} label={words.draw.section.name} named={(name) => drawing.make(rename(drawing.plan, { section: at }, name))} />
        <button type="button" aria-expanded={open} aria-label={words.draw.of(words.draw.rows, section.name)} onClick={() => drawing.show(open ? undefined : at)}>
          {words.draw.rows}
        </button>
      </div>
      <Place drawing={drawing} part={{ section: at }} name={section.name} />
      {open && (
        <ul class="rows">
          {section.rows.map((row, i) => (
            <RowPart key={i} drawing={drawing} section={section} row={row} named={(name) => drawing.make(renameRow(drawing.plan, at, i, name))} span={span.rows[i]!} />
          ))}
        </ul>
      )}
    </li>
  );
}

function RowPart({ drawing, section, row, named, span }: { drawing: Drawing; section: PlanSection; row: PlanRow; named: (name: string) => void; span: Span }) {
  const [open, setOpen] = useState(false);
  const told = (seat: PlanSeat) => {
    const marks = seatMarks.filter((mark) => seat[mark]).map((mark) => shop.seatMark[mark]);
    return [shop.seat(section.name, row.name, seat.name), categoryOf(section, row, seat), ...marks, ...(seat.aisle ? [words.draw.afterAisle] : [])].join(", ");
  };
  return (
    <li>
      <div class="line">
        <Chosen drawing={drawing} span={span} label={words.draw.rowHas(row.name, span.count)} />
        <Name value={row.name} label={words.draw.rowName} named={named} />
      </div>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{words.draw.seats(row.name)}</summary>
        {open && (
          <div class="seats">
            {row.seats.map((seat, k) => {
              const unit = span.first + k;
              const chosen = drawing.chosen.has(unit);
              return (
                <button key={k} type="button" aria-label={told(seat)} aria-pressed={chosen} onClick={() => drawing.choose([unit], !chosen)}>
                  {seat.name}
                </button>
              );
            })}
          </div>
        )}
      </details>
    </li>
  );
}

function Chosen({ drawing, span, label }: { drawing: Drawing; span: Span; label: string }) {
  const box = useRef<HTMLInputElement>(null);
  const chosen = drawing.chosenOf(span);
  useEffect(() => void (box.current!.indeterminate = chosen === "some"), [chosen]);
  return (
    <label class="check">
      <input ref={box} type="checkbox" checked={chosen === "all"} onChange={(event) => drawing.chooseSpan(span, event.currentTarget.checked)} />
      {label}
    </label>
  );
}

function Name({ value, label, named }: { value: string; label: string; named: (name: string) => void }) {
  return (
    <label>
      {label}
      <input maxLength={60} autocomplete="off" value={value} onChange={(event) => named(event.currentTarget.value.trim())} />
    </label>
  );
}

/** Where a part is: it is moved by so many seat widths, with the tool, or not at all any more. */
function Place({ drawing, part, name }: { drawing: Drawing; part: Part; name: string }) {
  const aimed = drawing.part !== undefined && JSON.stringify(drawing.part) === JSON.stringify(part);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    drawing.make(move(drawing.plan, part, Number(form.get("x")), Number(form.get("y"))), words.draw.moved(name));
  };
  return (
    <form class="line place" onSubmit={submit}>
      <label class="check">
        <input type="checkbox" checked={aimed} onChange={(event) => drawing.aim(event.currentTarget.checked ? part : undefined)} />
        {words.draw.aim}
      </label>
      <label>
        {words.draw.right}
        <input name="x" type="number" step="any" min={-20_000} max={20_000} value={0} />
      </label>
      <label>
        {words.draw.down}
        <input name="y" type="number" step="any" min={-20_000} max={20_000} value={0} />
      </label>
      <button type="submit" aria-label={words.draw.of(words.draw.move, name)}>
        {words.draw.move}
      </button>
      <button type="button" class="quiet" aria-label={words.draw.of(words.draw.remove, name)} onClick={() => drawing.make(remove(drawing.plan, part), words.draw.removed(name))}>
        {words.draw.remove}
      </button>
    </form>
  );
}
