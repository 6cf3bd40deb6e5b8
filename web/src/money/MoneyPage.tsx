import { useEffect, useState } from "preact/hooks";
import type { Account, AccountPlan, Plan } from "../api/plans";
import { file } from "../api/plans";
import { Door, isOpen } from "../desk/Door";
import { FileLink } from "../desk/FileLink";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, money as words, sales as salesWords } from "../messages/en";
import { count, moment, money } from "../messages/format";
import { percent } from "../messages/percent";
import { Table } from "../ops/Table";
import { linesOf } from "../sales/standing";
import { Problem } from "../shop/Problem";
import { MoneyDesk } from "./model";

export function MoneyPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [desk] = useState(() => new MoneyDesk(() => redraw((n) => n + 1)));
  useEffect(() => void desk.start(signInKey), []);
  if (!isOpen(desk)) return <Door of={desk} page="shop sales" words={words.signIn} />;
  const account = desk.accounts?.find((each) => each.name === desk.chosen);
  return (
    <>
      <Top>
        <button type="button" onClick={() => void desk.leave()} disabled={desk.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="money" staff={desk.staff === "yes"} />
      <main class="shop sales">
        <div class="heading">
          <h1>{words.heading}</h1>
          {desk.staff === "unknown" && <p class="note">{common.loading}</p>}
        </div>
        <Problem text={desk.problem} />
        {desk.accounts?.length === 0 && <None />}
        {desk.accounts && desk.accounts.length > 1 && (
          <label class="choice">
            {words.account}
            <select value={desk.chosen} onChange={(event) => void desk.choose(event.currentTarget.value)} disabled={desk.busy}>
              {desk.accounts.map((each) => (
                <option key={each.name} value={each.name}>
                  {each.name}
                </option>
              ))}
            </select>
          </label>
        )}
        {account && desk.plan && (
          <div class="figures">
            <PlanCard account={account} has={desk.plan} />
            <Fee plan={desk.plan.plan} />
            <Settlement desk={desk} />
            <Periods desk={desk} />
          </div>
        )}
      </main>
    </>
  );
}

function None() {
  return (
    <section class="card" aria-labelledby="none">
      <h2 id="none">{words.none.heading}</h2>
      <p>{words.none.lead}</p>
      <p>
        <a href="/desk/sales">{words.none.sales}</a>
      </p>
    </section>
  );
}

/** What the plan is, until when, and how much of what it allows is used. */
function PlanCard({ account, has }: { account: Account; has: AccountPlan }) {
  const { plan, used } = has;
  const allows = plan.entitlements;
  const of = (n: number, most: number | undefined) => (most === undefined ? words.unlimited(count(n)) : words.used(count(n), count(most)));
  const may = (is: boolean | undefined) => (is === false ? words.no : words.yes);
  const rows: [string, string][] = [
    [words.price, plan.price && plan.price.amount > 0 ? words.every(money(plan.price), plan.period) : words.nothing],
    [words.rooms, of(used.rooms, allows.rooms)],
    [words.lanes, of(used.lanes, allows.lanes)],
    [words.automatic, may(allows.automatic)],
    [words.look, may(allows.own_look)],
    [words.keys, allows.api_keys === undefined ? words.any : count(allows.api_keys)],
    [words.exports, may(allows.exports)],
  ];
  return (
    <section class="card plan" aria-labelledby="plan">
      <h2 id="plan">{words.plan}</h2>
      <p>
        <b>{plan.name}</b>
      </p>
      <p>{has.ends_at === undefined ? words.noEnd : has.next === "free" ? words.over(moment(has.ends_at)) : has.next === plan.id ? words.goesOn(moment(has.ends_at)) : words.follows(moment(has.ends_at), has.next ?? "")}</p>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="note">{words.open}</p>
      {!account.charges && <p class="wrong">{words.closed(account.reason ?? "")}</p>}
    </section>
  );
}

/** The platform's part of each order. */
function Fee({ plan }: { plan: Plan }) {
  const fixed = Object.entries(plan.fee?.fixed ?? {});
  const rate = percent(plan.fee?.rate ?? 0);
  return (
    <section class="card" aria-labelledby="fee">
      <h2 id="fee">{words.fee}</h2>
      {!plan.fee && <p>{words.feeElsewhere}</p>}
      {plan.fee && fixed.length === 0 && <p>{words.feeRate(rate)}</p>}
      {fixed.length > 0 && (
        <>
          <p>{words.feeEach}</p>
          <Table named="fee" columns={words.feeColumns}>
            {fixed.map(([currency, amount]) => (
              <tr key={currency}>
                <th scope="row">{currency}</th>
                <td>{rate}</td>
                <td>{money({ amount, currency })}</td>
              </tr>
            ))}
          </Table>
          <p class="note">{words.feeOnly}</p>
        </>
      )}
      {plan.fee && <p class="note">{words.feeStays}</p>}
    </section>
  );
}

/** What all that the account is paid for came to. */
function Settlement({ desk }: { desk: MoneyDesk }) {
  const { settled } = desk;
  if (!settled) return null;
  const text = salesWords.settlement;
  const save = (href: string, name: string) => desk.download(href, name);
  return (
    <section class="card settlement whole" aria-labelledby="settlement">
      <h2 id="settlement">{text.heading}</h2>
      {settled.totals.length === 0 && <p class="note">{salesWords.moneyNone}</p>}
      {settled.totals.map((total) => {
        const { currency } = total;
        const lines = linesOf([total]);
        const shows = settled.performances.flatMap((each) => each.currencies.filter((sum) => sum.currency === currency).map((sum) => ({ ...each, sum })));
        return (
          <Table key={currency} named="settlement" columns={[currency, ...lines.map((line) => text.lines[line])]}>
            {shows.map(({ performance, title, starts_at, sum }) => (
              <tr key={performance}>
                <th scope="row">
                  <a href={`/desk/sales?performance=${encodeURIComponent(performance)}`}>{salesWords.listing(title, starts_at)}</a>
                </th>
                {lines.map((line) => (
                  <td key={line}>{money({ amount: sum[line], currency })}</td>
                ))}
              </tr>
            ))}
            <tr class="sum">
              <th scope="row">{words.total}</th>
              {lines.map((line) => (
                <td key={line}>{money({ amount: total[line], currency })}</td>
              ))}
            </tr>
          </Table>
        );
      })}
      <p class="note">{text.note}</p>
      <p class="links">
        <FileLink href={file("accounting.csv", desk.chosen)} name="accounting.csv" save={save}>
          {words.csv}
        </FileLink>
        <FileLink href={file("report.pdf", desk.chosen)} name="report.pdf" save={save}>
          {words.pdf}
        </FileLink>
      </p>
    </section>
  );
}

/** Periods that began: what the platform writes invoices by. */
function Periods({ desk }: { desk: MoneyDesk }) {
  if (desk.periods.length === 0) return null;
  return (
    <section class="card whole" aria-labelledby="periods">
      <h2 id="periods">{words.periods}</h2>
      <Table named="periods" columns={words.periodColumns}>
        {desk.periods.map((each) => (
          <tr key={each.begins_at}>
            <th scope="row">{each.plan}</th>
            <td>{moment(each.begins_at)}</td>
            <td>{moment(each.ends_at)}</td>
            <td>{each.price.currency ? money(each.price) : words.nothing}</td>
          </tr>
        ))}
      </Table>
      {desk.morePeriods !== "" && (
        <button type="button" disabled={desk.busy} onClick={() => void desk.olderPeriods()}>
          {salesWords.more}
        </button>
      )}
    </section>
  );
}
