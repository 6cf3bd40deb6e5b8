import { useEffect, useState } from "preact/hooks";
import { file } from "../api/sales";
import { Desks } from "../look/Desks";
import { SignIn } from "../look/SignIn";
import { Top } from "../look/Top";
import { common, sales as words } from "../messages/en";
import { count, timeOfDay } from "../messages/format";
import { Table } from "../ops/Table";
import { Problem } from "../shop/Problem";
import { SeatMap } from "../shop/SeatMap";
import { Funnel, Money, Points, Tiers } from "./Figures";
import { Sales } from "./model";
import { Orders } from "./Orders";
import { Settlement } from "./Settlement";
import { State } from "./State";

export function SalesPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [sales] = useState(() => new Sales(() => redraw((n) => n + 1)));
  useEffect(() => void sales.start(signInKey), []);
  if (sales.staff === "no" || sales.staff === "other") return <SignedOut sales={sales} />;
  const { live, show } = sales;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void sales.leave()} disabled={sales.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="sales" />
      <main class="shop sales">
        <div class="heading">
          <h1>{words.heading}</h1>
          <p class={sales.fresh ? "note" : "wrong"}>{!live ? common.loading : sales.fresh ? words.asOf(timeOfDay(new Date(live.as_of))) : words.late}</p>
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
            <Files performance={sales.chosen} />
          </div>
        )}
        {sales.shows && sales.shows.length > 0 && <Popularity sales={sales} />}
      </main>
    </>
  );
}

function Files({ performance }: { performance: string }) {
  return (
    <section class="card files" aria-labelledby="files">
      <h2 id="files">{words.files}</h2>
      <p class="note">{words.filesNote}</p>
      <ul>
        <li>
          <a href={file("accounting.csv", performance)} download>
            {words.accountsFile}
          </a>
        </li>
        <li>
          <a href={file("orders.csv", performance)} download>
            {words.ordersFile}
          </a>
        </li>
        <li>
          <a href={file("orders.csv", performance, true)} download>
            {words.guestsFile}
          </a>
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

function SignedOut({ sales }: { sales: Sales }) {
  const [tried, setTried] = useState(false);
  const submit = (key: string) => {
    setTried(true);
    return sales.start(key);
  };
  const problem = sales.staff === "other" ? words.signIn.other : tried ? sales.problem || words.signIn.wrong : "";
  return <SignIn page="shop sales" words={words.signIn} problem={sales.busy ? "" : problem} submit={submit} />;
}
