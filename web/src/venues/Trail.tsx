import { venues as words } from "../messages/en";
import type { Venues } from "./model";
import { More } from "./More";

/** Who changed what of a venue, when and why. */
export function Trail({ venues }: { venues: Venues }) {
  const { changes } = venues;
  if (!changes) return null;
  return (
    <section class="card trail" aria-labelledby="trail">
      <h2 id="trail">{words.history.heading}</h2>
      {changes.list.length === 0 && <p class="note">{words.history.none}</p>}
      <ol>
        {changes.list.map((each) => (
          <li key={each.id}>
            <b>{words.history.line(words.history.what[each.what] ?? each.what, each.what === "venue" ? (each.version ?? 0) : 0, each.who)}</b>
            {each.reason && <span>{each.reason}</span>}
            <span class="note">{words.history.at(each.at)}</span>
          </li>
        ))}
      </ol>
      <More next={changes.next} busy={venues.busy} go={() => void venues.moreChanges()} />
    </section>
  );
}
