import { useState } from "preact/hooks";
import { venues as words } from "../messages/en";
import { Table } from "../ops/Table";
import { atVenue, type Venues } from "./model";
import { More } from "./More";

/** What happens in the house, and what of it is too near to another. */
export function Calendar({ venues }: { venues: Venues }) {
  const { calendar } = venues;
  const [at, setAt] = useState("");
  const ask = (event: SubmitEvent) => {
    event.preventDefault();
    if (at !== "") void venues.ask(at);
  };
  if (!calendar) return null;
  return (
    <section class="card calendar" aria-labelledby="calendar">
      <h2 id="calendar">{words.calendar.heading}</h2>
      <p class="note">{words.calendar.lead(calendar.zone)}</p>
      {calendar.list.length === 0 && <p>{words.calendar.none}</p>}
      {calendar.list.length > 0 && (
        <Table named="calendar" columns={words.calendar.columns}>
          {calendar.list.map((each) => (
            <tr key={each.performance}>
              <th scope="row">{atVenue(each.starts_at, calendar.zone)}</th>
              <td>{each.title || words.calendar.other}</td>
              <td>
                {each.clash && <span class="wrong">{words.calendar.clash}</span>}
                {each.state === "postponed" && words.calendar.postponed}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <More next={calendar.next} busy={venues.busy} go={() => void venues.moreCalendar()} />
      <form class="ask" onSubmit={ask}>
        <h3>{words.calendar.ask}</h3>
        <label>
          {words.calendar.when}
          <input type="datetime-local" name="at" value={at} onInput={(event) => setAt(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={venues.busy}>
          {words.calendar.look}
        </button>
      </form>
      <p class="near" role="status">
        {venues.near}
      </p>
    </section>
  );
}
