import { useMemo } from "preact/hooks";
import { Preview } from "../desk/Preview";
import { Ready } from "../desk/Ready";
import { setup as words } from "../messages/en";
import { language, money, moment } from "../messages/format";
import { Codes } from "./Codes";
import { minor, placesText, priceOf } from "./draft";
import { Text } from "./Field";
import type { Setup } from "./model";

/** What fans will see, whether it can be opened, and the opening. */
export function Open({ setup }: { setup: Setup }) {
  const of = words.open;
  const { unfinished, made } = setup;
  const title = setup.draft.title;
  const page = useMemo(() => ({ style: "", head: "", foot: "", title }), [title]);
  return (
    <>
      <section class="card part" aria-labelledby="seen">
        <h2 id="seen">{of.seen}</h2>
        <Nights setup={setup} />
        <Rules setup={setup} />
        {made.program && <p class="note">{of.once}</p>}
      </section>
      <Preview page={page} />
      {unfinished.length > 0 ? (
        <section class="card part" aria-labelledby="unfinished">
          <h2 id="unfinished">{of.wrong}</h2>
          <ul class="shows">
            {unfinished.map((step) => (
              <li key={step}>
                <button type="button" onClick={() => void setup.visit(step)} disabled={setup.busy}>
                  {words.steps[step]}
                </button>
              </li>
            ))}
          </ul>
        </section>
      ) : (
        <Make setup={setup} />
      )}
      {made.program && (
        <>
          <Ready desk={setup} />
          <Go setup={setup} />
          <Codes setup={setup} />
        </>
      )}
    </>
  );
}

function Nights({ setup }: { setup: Setup }) {
  const { draft, venues } = setup;
  return (
    <ul class="shown">
      {draft.nights.map((night, i) => {
        const venue = venues.get(night.venue);
        if (!venue || night.starts === "") return null;
        const when = new Intl.DateTimeFormat(language(), { dateStyle: "full", timeStyle: "short", timeZone: "UTC" }).format(new Date(`${night.starts}Z`));
        return (
          <li key={i}>
            <b dir="auto">{venue.name}</b>, {when} <span class="note">({venue.zone})</span>
            <ul>
              {venue.categories.map(({ name, places }) => {
                const amount = minor(priceOf(draft, night, name), draft.currency);
                return (
                  <li key={name}>
                    <span dir="auto">{name}</span>: {amount === undefined ? words.wrong.missing : money({ amount, currency: draft.currency })} <span class="note">{placesText(places)}</span>
                  </li>
                );
              })}
            </ul>
          </li>
        );
      })}
    </ul>
  );
}

function Rules({ setup }: { setup: Setup }) {
  const { draft } = setup;
  if (setup.unfinished.includes("sale")) return null;
  const { sale } = setup.program;
  const of = words.summary;
  const lines: [string, string][] = [
    [of.lobby, moment(sale.lobby_closes_at)],
    [of.opens, moment(sale.opens_at)],
    [of.ends, moment(sale.ends_at)],
    [of.limit, [of.perOrder(sale.units_per_hold), sale.units_per_place && of.perPerson(sale.units_per_place)].filter(Boolean).join(", ")],
    [of.refund, draft.refundDays === "" ? of.never : of.until(Number(draft.refundDays), Number(draft.refundKeep))],
    [of.transfer, draft.transferDays === "" ? of.kept : of.given(Number(draft.transferDays), Number(draft.transferTimes))],
    [of.names, draft.names === "" ? of.nameless : of.named(Number(draft.nameDays))],
    ...(sale.lanes ?? []).map((lane): [string, string] => [of.presale, `${lane.title}, ${lane.share} %`]),
  ];
  return (
    <dl class="rules">
      {lines.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Make({ setup }: { setup: Setup }) {
  const of = words.open;
  const { made } = setup;
  if (made.program && !setup.differs) return <p class="said" role="status">{setup.notice}</p>;
  return (
    <section class="card part" aria-labelledby="make">
      <h2 id="make">{made.program ? of.apply : of.make}</h2>
      <p>{made.program ? of.differs : of.making}</p>
      {made.program && <Text setup={setup} name="reason" label={of.reason} value={setup.reason} maxLength={200} set={(reason) => setup.because(reason)} />}
      <p class="wrong said" role="alert">
        {setup.problem}
      </p>
      <button type="button" class="primary" onClick={() => void setup.make()} disabled={setup.busy}>
        {made.program ? of.apply : of.make}
      </button>
    </section>
  );
}

function Go({ setup }: { setup: Setup }) {
  const of = words.open;
  const { published, made } = setup;
  const open = published?.state === "done" && published.version === made.program!.sale.version;
  return (
    <section class="card part" aria-labelledby="go">
      <h2 id="go">{words.steps.open}</h2>
      <p role="status" class="said">
        {open ? of.gone : published?.state === "asked" ? of.going : (published?.state !== "refused" && of.made)} {setup.notice}
      </p>
      <p class="wrong" role="alert">
        {published?.state === "refused" && published.refusal ? of.refused(published.refusal.detail) : setup.problem}
      </p>
      {published && !open && !setup.differs && <Text setup={setup} name="because" label={of.reason} value={setup.reason} maxLength={200} set={(reason) => setup.because(reason)} />}
      {open ? (
        <a class="button primary" href={`/sales/${encodeURIComponent(made.program!.sale.id)}`}>
          {of.link}
        </a>
      ) : (
        <button type="button" class="primary" onClick={() => void setup.go()} disabled={setup.busy || setup.differs}>
          {of.go}
        </button>
      )}
    </section>
  );
}
