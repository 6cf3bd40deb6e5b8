import { counter as words } from "../messages/en";
import { count, money } from "../messages/format";
import type { Counter } from "./model";

/** What should be in the till, by whom and how. */
export function Takings({ counter }: { counter: Counter }) {
  return (
    <section class="basket card takings" aria-labelledby="takings">
      <div class="bar">
        <h2 id="takings">{words.takings}</h2>
        <button type="button" class="quiet" onClick={() => void counter.count()}>
          {words.refresh}
        </button>
      </div>
      {counter.takings.length === 0 && <p class="note">{words.takingsNone}</p>}
      {counter.takings.map((each) => {
        const amount = (n: number) => money({ amount: n, currency: each.currency });
        return (
          <dl key={`${each.who} ${each.tender} ${each.currency}`}>
            <div class="head">
              <dt>{`${each.who.replace(/^staff:/, "")}, ${words.tender[each.tender]}`}</dt>
              <dd>
                <b>{amount(each.till)}</b>
              </dd>
            </div>
            <div class="note">
              <dt>{`${words.takingsHead.orders} ${count(each.orders)}`}</dt>
              <dd>{`${words.takingsHead.taken} ${amount(each.taken)} · ${words.takingsHead.back} ${amount(each.given_back)}`}</dd>
            </div>
          </dl>
        );
      })}
    </section>
  );
}
