import type { Live } from "../api/sales";
import { sales as words } from "../messages/en";
import { count, money } from "../messages/format";
import { Table } from "../ops/Table";

/** What came in, in each currency. */
export function Money({ live }: { live: Live }) {
  return (
    <section class="card money" aria-labelledby="money">
      <h2 id="money">{words.money}</h2>
      {live.money.length === 0 && <p class="note">{words.moneyNone}</p>}
      {live.money.map((sum) => {
        const amount = (n: number) => money({ amount: n, currency: sum.currency });
        const lines: [string, number][] = [
          [words.refunded, sum.refunded],
          [words.toRefund, sum.to_refund],
          [words.fee, sum.fee],
          [words.tax, sum.tax],
        ];
        return (
          <dl key={sum.currency}>
            <div class="head">
              <dt>{words.taken}</dt>
              <dd>{amount(sum.taken + sum.cash + sum.terminal)}</dd>
              <dd class="note">{words.orders(sum.orders)}</dd>
            </div>
            {lines.map(([name, n]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{amount(n)}</dd>
              </div>
            ))}
            <div>
              <dt>{words.net}</dt>
              <dd>
                <b>{amount(sum.net)}</b>
              </dd>
            </div>
          </dl>
        );
      })}
    </section>
  );
}

/** Money over time: a bar for each span in which something came in or went back. */
export function Points({ live }: { live: Live }) {
  const currencies = [...new Set(live.points.map((point) => point.currency))];
  return (
    <section class="card time" aria-labelledby="time">
      <h2 id="time">{words.time}</h2>
      <p class="note">{currencies.length === 0 ? words.timeNone : words.every(live.every)}</p>
      {currencies.map((currency) => (
        <Bars key={currency} live={live} currency={currency} />
      ))}
    </section>
  );
}

/** Bars are pictures; the same stands in a list for those who do not see them. */
function Bars({ live, currency }: { live: Live; currency: string }) {
  const points = live.points.filter((point) => point.currency === currency);
  const at = (point: { at: string }) => Math.round(Date.parse(point.at) / 1000 / live.every);
  const first = at(points[0]!);
  const spans = Math.max(at(points.at(-1)!) - first + 1, 12);
  const most = Math.max(1, ...points.map((point) => Math.abs(point.amount)));
  const told = points.map((point) => words.point(point.at, money({ amount: point.amount, currency }), point.orders));
  return (
    <>
      <svg viewBox={`0 0 ${spans * 10} 100`} preserveAspectRatio="none" role="img" aria-label={words.seriesOf(currency)}>
        {points.map((point, i) => {
          const height = Math.max(2, (98 * Math.abs(point.amount)) / most);
          return (
            <rect key={point.at} class={point.amount < 0 ? "back" : ""} x={(at(point) - first) * 10 + 1} width={8} y={100 - height} height={height}>
              <title>{told[i]}</title>
            </rect>
          );
        })}
      </svg>
      <ul class="unseen">
        {told.slice(-20).map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </>
  );
}

const steps = ["views", "joined", "offered", "admitted", "holds", "paying", "bought"] as const;
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });

export function Funnel({ live }: { live: Live }) {
  const known = steps.filter((step) => live.funnel[step] !== undefined);
  const most = Math.max(1, ...known.map((step) => live.funnel[step]!));
  return (
    <section class="card funnel" aria-labelledby="funnel">
      <h2 id="funnel">{words.funnel}</h2>
      <ol>
        {known.map((step, i) => {
          const n = live.funnel[step]!;
          const before = i === 0 ? 0 : live.funnel[known[i - 1]!]!;
          return (
            <li key={step}>
              <span>{words.steps[step]}</span>
              <b>{count(n)}</b>
              <meter min={0} max={most} value={n} aria-label={words.steps[step]} />
              <span class="note">{before > 0 && n <= before ? words.ofBefore(share.format(n / before)) : ""}</span>
            </li>
          );
        })}
      </ol>
      <p class="note">{words.funnelNote}</p>
    </section>
  );
}

export function Tiers({ live }: { live: Live }) {
  return (
    <section class="card" aria-labelledby="tiers">
      <h2 id="tiers">{words.tiers}</h2>
      <Table named="tiers" columns={words.tierColumns}>
        {live.tiers.map((tier) => (
          <tr key={tier.id}>
            <th scope="row">{tier.name}</th>
            <td>{money(tier.price)}</td>
            <td>{words.soldOf(tier.sold, tier.units)}</td>
            <td>{count(tier.unpaid)}</td>
            <td>{count(tier.canceled)}</td>
            <td>{money({ amount: tier.prices, currency: tier.price.currency })}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
