import { useState } from "preact/hooks";
import { Dialog } from "../look/Dialog";
import { sales as words } from "../messages/en";
import { goesAlong, next, type Of, over, type To } from "./standing";
import type { Sales } from "./model";

const text = words.standing;

/** How the performance and its event stand, and what may be done about it. */
export function State({ sales }: { sales: Sales }) {
  const [asked, ask] = useState<{ of: Of; to: To } | undefined>();
  const { standing } = sales;
  if (!standing) return null;
  const { event, shows } = standing;
  const show = sales.showState;
  const along = shows.filter((each) => goesAlong(each, Date.now())).length;
  const rows: [Of, string, string][] = [
    ["performance", text.performance, event.state === "draft" ? text.draft : text.shows[show]],
    ["event", text.event(event.performances.length), text.events[event.state]],
  ];
  return (
    <section class="card state" aria-labelledby="standing">
      <h2 id="standing">{text.heading}</h2>
      {rows.map(([of, name, state]) => (
        <div key={of} class="stands">
          <p>
            {name}: <b>{state}</b>
          </p>
          {next(of, event.state, show).map((to) => (
            <button key={to} type="button" disabled={sales.busy} onClick={() => ask({ of, to })} aria-label={text.about(text.steps[to], name)}>
              {text.steps[to]}
            </button>
          ))}
        </div>
      ))}
      {event.state === "draft" && <p class="note">{text.setUp}</p>}
      {show === "canceled" && <RefundAll sales={sales} />}
      {asked && (
        <Because
          title={text.asks[asked.of][asked.to]}
          yes={text.yes[asked.to]}
          told={[...(asked.of === "event" ? [text.along(along)] : []), ...text.does[asked.to](sales.sold)]}
          onNo={() => ask(undefined)}
          onYes={(reason) => {
            ask(undefined);
            void sales.setState(asked.of, asked.to, reason);
          }}
        />
      )}
    </section>
  );
}

/** A question that says what comes of it, and wants a reason. */
function Because(props: { title: string; yes: string; told: string[]; onNo: () => void; onYes: (reason: string) => void }) {
  const [reason, setReason] = useState("");
  const [wrong, setWrong] = useState("");
  const go = () => {
    if (reason.trim() === "") setWrong(words.cancel.missing);
    else props.onYes(reason.trim());
  };
  return (
    <Dialog title={props.title} no={text.no} yes={props.yes} onNo={props.onNo} onYes={go}>
      <ul class="told">
        {props.told.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
      <label>
        {words.cancel.reason}
        <input name="why" maxLength={200} autocomplete="off" value={reason} onInput={(event) => setReason(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && go()} />
      </label>
      <p class="wrong" role="alert">
        {wrong}
      </p>
    </Dialog>
  );
}

const back = words.refundAll;

/** Everybody's money back, of a performance that is canceled. */
function RefundAll({ sales }: { sales: Sales }) {
  const [asked, ask] = useState(false);
  const { refund } = sales;
  return (
    <div class="refund-all">
      <h3>{back.heading}</h3>
      {refund ? (
        <Progress sales={sales} refund={refund} />
      ) : (
        <>
          <p class="note">{back.lead}</p>
          <button type="button" disabled={sales.busy} onClick={() => ask(true)}>
            {back.go}
          </button>
        </>
      )}
      {asked && (
        <Because
          title={back.ask}
          yes={back.yes}
          told={back.does(sales.sold)}
          onNo={() => ask(false)}
          onYes={(reason) => {
            ask(false);
            void sales.refundAll(reason);
          }}
        />
      )}
    </div>
  );
}

function Progress({ sales, refund }: { sales: Sales; refund: NonNullable<Sales["refund"]> }) {
  const figures = [
    [back.left, refund.left],
    [back.canceled, refund.canceled],
    [back.refunding, refund.refunding],
    [back.refunded, refund.refunded],
    [back.failed, refund.failed],
  ] as const;
  return (
    <>
      <p class="note">{back.asked(refund.asked_at, refund.who, refund.reason)}</p>
      <p role="status">{over(refund) ? back.over(refund.failed + refund.refused.length > 0) : back.runs}</p>
      <progress aria-label={back.heading} max={Math.max(1, refund.left + refund.canceled)} value={refund.left + refund.canceled === 0 ? 1 : refund.canceled} />
      <dl>
        {figures.map(([name, n]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{back.number(n)}</dd>
          </div>
        ))}
      </dl>
      {refund.failed > 0 && <p class="wrong">{back.seeTo}</p>}
      {refund.refused.length > 0 && (
        <>
          <h4>{back.refused(refund.refused.length)}</h4>
          <p class="note">{back.refusedNote}</p>
          <ul class="refused">
            {refund.refused.map((each) => (
              <li key={each.order}>
                <span>
                  {back.why(each.code)} <span class="note">{`${words.reference} ${each.order}`}</span>
                </span>
                <button type="button" disabled={sales.busy} onClick={() => void sales.look(each.order)} aria-label={`${words.open} ${each.order}`}>
                  {words.open}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
