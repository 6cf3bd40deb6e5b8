import { useState } from "preact/hooks";
import { shop as words } from "../messages/en";
import { money } from "../messages/format";
import { Mark } from "./Legend";
import type { Picking } from "./model";
import { seatName } from "./name";
import type { Section } from "./seats";
import type { Show } from "./show";

/** The seats for keyboard and screen reader: one section at a time, its rows to open. */
export function SeatList({ shop, show }: { shop: Picking; show: Show }) {
  const { sections } = show.chart;
  const [chosen, choose] = useState(0);
  const section = sections[chosen];
  if (!section) return null;
  return (
    <div class="list">
      <h2 class="unseen">{words.list.heading}</h2>
      <label>
        {words.list.section}
        <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
          {sections.map((each, index) => (
            <option key={each.name} value={index}>
              {`${each.name} · ${each.tier ? money(each.tier.price) : ""} · ${words.list.free(freeIn(shop, each))}`}
            </option>
          ))}
        </select>
      </label>
      {section.rows.map((row) => (
        <RowOfSeats key={`${section.name}-${row.name}`} shop={shop} row={row} />
      ))}
    </div>
  );
}

const freeIn = (shop: Picking, section: Section) => section.rows.reduce((sum, row) => sum + freeOf(shop, row), 0);
const freeOf = (shop: Picking, row: Section["rows"][number]) => row.seats.filter((seat) => shop.state(seat.unit) === "free").length;

function RowOfSeats({ shop, row }: { shop: Picking; row: Section["rows"][number] }) {
  const [open, setOpen] = useState(false);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.list.row(row.name, freeOf(shop, row))}</summary>
      {open && (
        <ul class="seats">
          {row.seats.map((seat) => {
            const state = shop.state(seat.unit);
            const name = `${seatName(seat)}, ${words.seatState[state]}`;
            return (
              <li key={seat.unit}>
                <button
                  type="button"
                  aria-label={name}
                  aria-pressed={state === "picked" || state === "mine"}
                  aria-disabled={state !== "free" && state !== "picked"}
                  onClick={() => shop.pick(seat)}
                >
                  <Mark state={state} tier={seat.tier} />
                  {seat.name}
                  {seat.marks.length > 0 && <small>{seat.marks.map((mark) => words.seatSign[mark]).join(" ")}</small>}
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </details>
  );
}
