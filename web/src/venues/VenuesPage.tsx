import { useEffect, useState } from "preact/hooks";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, venues as words } from "../messages/en";
import { count } from "../messages/format";
import { Table } from "../ops/Table";
import { Problem } from "../shop/Problem";
import { Approvals } from "./Approvals";
import { Calendar } from "./Calendar";
import { Details } from "./Details";
import { MapFile } from "./MapFile";
import { MapView } from "./MapView";
import { More } from "./More";
import { Venues } from "./model";
import { Trail } from "./Trail";

export function VenuesPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [venues] = useState(() => new Venues(() => redraw((n) => n + 1), new URLSearchParams(location.search).get("venue") ?? ""));
  useEffect(() => void venues.start(signInKey), []);
  if (!isOpen(venues)) return <Door of={venues} page="shop venues" words={words.signIn} />;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void venues.leave()} disabled={venues.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="venues" staff={venues.staff === "yes"} />
      <main class="shop venues">
        <div class="heading">
          <h1 id="venues">{venues.chosen === "" ? words.heading : (venues.venue?.name ?? common.loading)}</h1>
          {venues.chosen !== "" && <a href="/desk/venues">{words.all}</a>}
        </div>
        <Problem text={venues.problem} />
        {venues.stale && (
          <button type="button" onClick={() => void venues.again()} disabled={venues.busy}>
            {words.again}
          </button>
        )}
        <p class="said" role="status">
          {venues.notice}
        </p>
        {venues.chosen === "" ? <All venues={venues} /> : <One venues={venues} />}
      </main>
    </>
  );
}

function All({ venues }: { venues: Venues }) {
  const { lines } = venues;
  if (!lines) return <p class="note">{venues.busy && common.loading}</p>;
  return (
    <div class="parts">
      <section class="card all" aria-labelledby="venues">
        {lines.list.length === 0 && <p>{words.none}</p>}
        {lines.list.length > 0 && (
          <Table named="venues" columns={words.columns}>
            {lines.list.map((line) => (
              <tr key={line.id}>
                <th scope="row">
                  <a href={`?venue=${encodeURIComponent(line.id)}`}>{line.name}</a>
                </th>
                <td>{words.version(line.version)}</td>
                <td>{count(line.performances)}</td>
              </tr>
            ))}
          </Table>
        )}
        <More next={lines.next} busy={venues.busy} go={() => void venues.more()} />
      </section>
      <MapFile venues={venues} />
    </div>
  );
}

function One({ venues }: { venues: Venues }) {
  if (!venues.venue) return null;
  return (
    <div class="parts">
      <MapView venues={venues} />
      <MapFile venues={venues} />
      <Approvals venues={venues} />
      <Calendar venues={venues} />
      <Details key={venues.venue.version} venues={venues} venue={venues.venue} />
      <Trail venues={venues} />
    </div>
  );
}
