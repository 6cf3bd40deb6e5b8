import { useState } from "preact/hooks";
import { venues as words } from "../messages/en";
import { addArea, addCategory, addSection, most, rowName } from "./edit";
import type { Drawing } from "./drawing";

/** A number of a form, within its bounds. */
function Whole(props: { name: string; label: string; value: number; min: number; max: number; step?: string }) {
  return (
    <label>
      {props.label}
      <input name={props.name} type="number" inputMode="numeric" min={props.min} max={props.max} step={props.step ?? "1"} defaultValue={props.value} required />
    </label>
  );
}

function Category({ drawing }: { drawing: Drawing }) {
  return (
    <label>
      {words.draw.category}
      <input name="category" list="categories" maxLength={60} autocomplete="off" required defaultValue={drawing.plan.categories[0] ?? ""} />
    </label>
  );
}

const fields = (event: SubmitEvent) => {
  event.preventDefault();
  const form = new FormData(event.currentTarget as HTMLFormElement);
  return { text: (name: string) => String(form.get(name) ?? "").trim(), number: (name: string) => Number(form.get(name)) };
};

/** Rows of seats that are drawn at once. */
export function NewSection({ drawing }: { drawing: Drawing }) {
  const [wrong, setWrong] = useState("");
  const submit = (event: SubmitEvent) => {
    const { text, number } = fields(event);
    const [name, category, rows, firstRow] = [text("name"), text("category"), number("rows"), text("firstRow") || "A"];
    const fault = drawing.plan.sections.some((each) => each.name === name) ? words.draw.taken(name) : rows > 1 && rowName(firstRow, 1) === "" ? words.draw.section.firstRowWrong : "";
    setWrong(fault);
    if (fault !== "") return;
    const block = {
      name,
      category,
      rows,
      firstRow,
      seats: number("seats"),
      firstSeat: number("firstSeat"),
      step: number("step"),
      from: text("from") === "right" ? ("right" as const) : ("left" as const),
      aisle: number("aisle"),
      bend: number("bend"),
    };
    drawing.make(addSection(addCategory(drawing.plan, category), block), words.draw.section.added(name, block.rows * block.seats));
    drawing.aim({ section: drawing.plan.sections.length - 1 });
  };
  return (
    <section class="card" aria-labelledby="new-section">
      <h2 id="new-section">{words.draw.section.heading}</h2>
      <form onSubmit={submit}>
        <datalist id="categories">
          {drawing.plan.categories.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <div class="fields">
          <label>
            {words.draw.section.name}
            <input name="name" maxLength={60} autocomplete="off" required />
          </label>
          <Category drawing={drawing} />
          <Whole name="rows" label={words.draw.section.rows} value={10} min={1} max={most.rows} />
          <Whole name="seats" label={words.draw.section.seats} value={20} min={1} max={most.seats} />
          <label>
            {words.draw.section.firstRow}
            <input name="firstRow" maxLength={20} autocomplete="off" defaultValue="A" />
          </label>
          <Whole name="firstSeat" label={words.draw.section.firstSeat} value={1} min={0} max={100_000} />
          <label>
            {words.draw.section.step}
            <select name="step">
              <option value="1">{words.draw.section.every}</option>
              <option value="2">{words.draw.section.second}</option>
            </select>
          </label>
          <label>
            {words.draw.section.from}
            <select name="from">
              <option value="left">{words.draw.section.left}</option>
              <option value="right">{words.draw.section.right}</option>
            </select>
          </label>
          <Whole name="aisle" label={words.draw.section.aisle} value={0} min={0} max={most.seats} />
          <Whole name="bend" label={words.draw.section.bend} value={0} min={0} max={200} step="any" />
        </div>
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <button type="submit">{words.draw.section.add}</button>
      </form>
    </section>
  );
}

/** Where people stand. */
export function NewArea({ drawing }: { drawing: Drawing }) {
  const submit = (event: SubmitEvent) => {
    const { text, number } = fields(event);
    const [name, category] = [text("name"), text("category")];
    drawing.make(addArea(addCategory(drawing.plan, category), { name, category, places: number("places"), width: number("width"), height: number("height") }), words.draw.area.added(name, number("places")));
    drawing.aim({ area: drawing.plan.areas.length - 1 });
  };
  return (
    <section class="card" aria-labelledby="new-area">
      <h2 id="new-area">{words.draw.area.heading}</h2>
      <form onSubmit={submit}>
        <div class="fields">
          <label>
            {words.draw.area.name}
            <input name="name" maxLength={60} autocomplete="off" required />
          </label>
          <Category drawing={drawing} />
          <Whole name="places" label={words.draw.area.places} value={100} min={1} max={4_000_000} />
          <Whole name="width" label={words.draw.area.width} value={20} min={0} max={10_000} step="any" />
          <Whole name="height" label={words.draw.area.height} value={8} min={0} max={10_000} step="any" />
        </div>
        <button type="submit">{words.draw.area.add}</button>
      </form>
    </section>
  );
}
