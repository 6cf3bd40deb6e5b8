import { file } from "../api/venues";
import { venues as words } from "../messages/en";
import { count } from "../messages/format";
import { Table } from "../ops/Table";
import { ChartMap } from "../shop/ChartMap";
import { Mark, Signs } from "../shop/Legend";
import { FileLink } from "../desk/FileLink";
import { seatName } from "../shop/name";
import type { House } from "./plan";
import type { Venues } from "./model";

/** A version of the seat map to look at. */
export function MapView({ venues }: { venues: Venues }) {
  const { house, newest, version } = venues;
  const versions = Array.from({ length: newest }, (_, i) => newest - i);
  return (
    <section class="card map-card" aria-labelledby="map">
      <h2 id="map">{words.map.heading}</h2>
      {!house && <p>{words.map.none}</p>}
      {house && (
        <>
          <div class="line">
            <label>
              {words.map.version}
              <select value={version} onChange={(event) => void venues.look(Number(event.currentTarget.value))} disabled={venues.busy}>
                {versions.map((each) => (
                  <option key={each} value={each}>
                    {each === newest ? words.map.newest(each) : words.map.older(each)}
                  </option>
                ))}
              </select>
            </label>
            <FileLink look="button" href={file(venues.chosen, version)} name={`${house.plan.name} ${version}.json`} save={(href, name) => venues.download(href, name)}>
              {words.map.save}
            </FileLink>
            <a class="button" href={`?venue=${encodeURIComponent(venues.chosen)}&draw=1`}>
              {words.map.edit}
            </a>
          </div>
          <Looked house={house} />
          <p>{words.map.total(house.units, house.plan.sections.length)}</p>
          <Counts house={house} named="map" />
        </>
      )}
    </section>
  );
}

function Looked({ house }: { house: House }) {
  const { plan, chart } = house;
  return (
    <ChartMap
      chart={chart}
      label={words.map.label}
      hint={words.map.hint}
      state={() => "free"}
      pick={() => {}}
      told={(seat) => <b>{words.map.seat(seatName(seat), plan.categories[seat.tier] ?? "")}</b>}
    >
      <Signs marks={chart.marks} />
    </ChartMap>
  );
}

/** How much there is of each category. */
export function Counts({ house, named }: { house: House; named: string }) {
  return (
    <Table named={named} columns={words.map.counts}>
      {house.counts.map((each, index) => (
        <tr key={each.category}>
          <th scope="row">
            <span class="category">
              <Mark state="free" tier={index} />
              {each.category}
            </span>
          </th>
          <td>{count(each.seats)}</td>
          <td>{count(each.places)}</td>
        </tr>
      ))}
    </Table>
  );
}
