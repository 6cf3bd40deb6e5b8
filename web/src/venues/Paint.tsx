import { useState } from "preact/hooks";
import { venues as words } from "../messages/en";
import { Mark } from "../shop/Legend";
import { type SeatMark, seatMarks } from "../shop/seats";
import { addCategory, aisle, mark, paint, removeCategory } from "./edit";
import type { Drawing } from "./drawing";

/** What is done with the seats that are chosen. */
export function Paint({ drawing }: { drawing: Drawing }) {
  const [name, setName] = useState("");
  const { plan, chosen, house } = drawing;
  const none = chosen.size === 0;
  const marked = (which: SeatMark, on: boolean) => drawing.make(mark(plan, chosen, which, on), on ? words.draw.marked(chosen.size, which) : words.draw.unmarked(chosen.size, which));
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    if (name.trim() !== "") drawing.make(addCategory(plan, name.trim()));
    setName("");
  };
  return (
    <section class="card paint" aria-labelledby="paint">
      <h2 id="paint">{words.draw.paint.heading}</h2>
      <p class="note">{none ? words.draw.paint.none : words.draw.chosen(chosen.size)}</p>
      <ul>
        {house!.counts.map((each, i) => (
          <li key={each.category} class="line">
            <button
              type="button"
              class="category"
              aria-label={words.draw.paint.with(each.category)}
              onClick={() => drawing.make(paint(plan, chosen, each.category), words.draw.painted(chosen.size, each.category))}
              disabled={none}
            >
              <Mark state="free" tier={i} />
              {each.category}
            </button>
            <span class="note">{words.draw.paint.has(each.seats, each.places)}</span>
            {each.seats + each.places === 0 && (
              <button type="button" class="quiet" aria-label={words.draw.of(words.draw.remove, each.category)} onClick={() => drawing.make(removeCategory(plan, each.category))}>
                {words.draw.remove}
              </button>
            )}
          </li>
        ))}
      </ul>
      <form class="line" onSubmit={add}>
        <label>
          {words.draw.paint.category}
          <input maxLength={60} autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="submit">{words.draw.paint.add}</button>
      </form>
      <h3>{words.draw.marks}</h3>
      <ul>
        {seatMarks.map((each) => (
          <li key={each} class="line">
            <button type="button" onClick={() => marked(each, true)} disabled={none}>
              {words.draw.mark[each]}
            </button>
            <button type="button" class="quiet" aria-label={words.draw.of(words.draw.notMarked, words.draw.mark[each])} onClick={() => marked(each, false)} disabled={none}>
              {words.draw.notMarked}
            </button>
          </li>
        ))}
        <li class="line">
          <button type="button" onClick={() => drawing.make(aisle(plan, chosen, true), words.draw.aisled(chosen.size))} disabled={none}>
            {words.draw.aisle}
          </button>
          <button type="button" class="quiet" aria-label={words.draw.of(words.draw.notMarked, words.draw.aisle)} onClick={() => drawing.make(aisle(plan, chosen, false))} disabled={none}>
            {words.draw.notMarked}
          </button>
        </li>
      </ul>
    </section>
  );
}
