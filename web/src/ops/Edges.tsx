import type { EdgeReport } from "../api/documents";
import { ops as words } from "../messages/en";
import { clock as span } from "../messages/format";
import { Table } from "./Table";

/** They say how they are once a second; who missed two is silent. */
const silent = 3_000;

export function Edges({ edges }: { edges: EdgeReport[] }) {
  const w = words.edges;
  return (
    <section class="card desk" aria-labelledby="edges">
      <h2 id="edges">{w.heading}</h2>
      {edges.length === 0 ? (
        <p class="note">{w.none}</p>
      ) : (
        <Table named="edges" columns={[w.host, w.state, w.sockets, w.rooms, w.heard, w.up]}>
          {edges.map((edge) => (
            <tr key={edge.edge}>
              <th scope="row">
                {edge.host} <span class="note">{edge.edge.slice(0, 6)}</span>
              </th>
              <td class={troubles(edge).length > 0 ? "wrong" : "well"}>{troubles(edge).join(", ") || w.well}</td>
              <td>{w.of(edge.sockets, edge.sockets_most)}</td>
              <td>{edge.rooms}</td>
              <td>{w.ago(edge.age_ms / 1000)}</td>
              <td>{span(Date.now() - Date.parse(edge.started_at))}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function troubles(edge: EdgeReport): string[] {
  const w = words.edges;
  const found = [];
  if (edge.age_ms > silent) found.push(w.silent);
  if (edge.away > 0) found.push(w.away(edge.away));
  if (edge.shedding) found.push(w.shedding);
  return found;
}
