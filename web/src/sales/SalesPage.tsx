import { useEffect, useState } from "preact/hooks";
import { file } from "../api/sales";
import { Door, isOpen } from "../desk/Door";
import { FileLink } from "../desk/FileLink";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, sales as words } from "../messages/en";
import { count, timeOfDay } from "../messages/format";
import { Table } from "../ops/Table";
import { Problem } from "../shop/Problem";
import { SeatMap } from "../shop/SeatMap";
import { Audience } from "./Audience";
import { Funnel, Money, Points, Tiers } from "./Figures";
import { Sales } from "./model";
import { Notices } from "./Notices";
import { Orders } from "./Orders";
import { Settlement } from "./Settlement";
import { State } from "./State";

export function SalesPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [sales] = useState(() => new Sales(() => redraw((n) => n + 1)));
  useEffect(() => void sales.start(signInKey), []);
  if (!isOpen(sales)) return <Door of={sales} page="shop sales" words={words.signIn} />;
  const { live, show } = sales;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void sales.leave()} disabled={sales.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="sales" staff={sales.staff === "yes"} />
      <main class="shop sales">
        <div class="heading">
          <h1>{words.heading}</h1>
          {live && <p class={sales.fresh ? "note" : "wrong"}>{sales.fresh ? words.asOf(timeOfDay(new Date(live.as_of))) : words.late}</p>}
          {!live && sales.shows?.length !== 0 && <p class="note">{common.loading}</p>}
        </div>
        <Problem text={sales.problem} />
        <p class="said" role="status">
          {sales.notice}
        </p>
        {sales.shows?.length === 0 && <p>{words.none}</p>}
        {sales.shows && sales.shows.length > 0 && (
          <label class="choice">
            {words.performance}
            <select value={sales.chosen} onChange={(event) => void sales.choose(event.currentTarget.value)} disabled={sales.busy}>
              {sales.shows.map((each) => (
                <option key={each.performance} value={each.performance}>
                  {words.listing(each.title, each.starts_at)}
                </option>
              ))}
            </select>
          </label>
        )}
        {live && show && (
          <div class="figures">
            <State sales={sales} />
            <Money live={live} />
            <Points live={live} />
            <Funnel live={live} />
            <Tiers live={live} />
            <Settlement sales={sales} />
            {show.chart.seats.length > 0 && (
              <section class="card map-card" aria-labelledby="map">
                <h2 id="map">{words.map}</h2>
                <SeatMap shop={sales} show={show} />
              </section>
            )}
            <Orders sales={sales} />
            <Notices sales={sales} />
            <Audience key={sales.chosen} sales={sales} />
            <Files sales={sales} />
          </div>
        )}
        {sales.shows && sales.shows.length > 0 && <Popularity sales={sales} />}
      </main>
    </>
  );
}

function Files({ sales }: { sales: Sales }) {
  const performance = sales.chosen;
  const save = (href: string, name: string) => sales.download(href, name);
  return (
    <section class="card files" aria-labelledby="files">
      <h2 id="files">{words.files}</h2>
      <p class="note">{words.filesNote}</p>
      <ul>
        <li>
          <FileLink href={file("accounting.csv", performance)} name="accounting.csv" save={save}>
            {words.accountsFile}
          </FileLink>
        </li>
        <li>
          <FileLink href={file("orders.csv", performance)} name="orders.csv" save={save}>
            {words.ordersFile}
          </FileLink>
        </li>
        <li>
          <FileLink href={file("orders.csv", performance, true)} name="orders.csv" save={save}>
            {words.guestsFile}
          </FileLink>
        </li>
      </ul>
    </section>
  );
}

function Popularity({ sales }: { sales: Sales }) {
  return (
    <section class="card" aria-labelledby="popularity">
      <h2 id="popularity">{words.popularity}</h2>
      <Table named="popularity" columns={words.popularityColumns}>
        {sales.shows!.map((each) => (
          <tr key={each.performance}>
            <th scope="row">{words.listing(each.title, each.starts_at)}</th>
            <td>{count(each.views)}</td>
            <td>{each.joined === undefined ? "–" : count(each.joined)}</td>
            <td>{count(each.holds)}</td>
            <td>{count(each.orders)}</td>
            <td>{words.soldOf(each.sold, each.units)}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
