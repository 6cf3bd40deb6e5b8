import { setup as words } from "../messages/en";
import { count, money } from "../messages/format";
import { type Batch, partOf, placesText, type Venue, venuesOf, worth } from "./draft";
import { Choice, Form, marks, Text } from "./Field";
import type { Setup } from "./model";

const currencies = ["EUR", "GBP", "CHF", "USD", "SEK", "DKK", "NOK", "PLN", "CZK", "JPY"];

export function Prices({ setup }: { setup: Setup }) {
  const { draft, venues } = setup;
  const of = words.prices;
  const fixed = setup.made.program !== undefined;
  const all = venuesOf(draft, venues);
  const { places, amount } = worth(draft, venues);
  const put = (venue: string, category: string, price: string) => setup.type({ prices: { ...draft.prices, [venue]: { ...draft.prices[venue], [category]: price } } });
  return (
    <Form setup={setup} heading={of.heading} back={() => void setup.visit("dates")}>
      <p class="note">{fixed ? words.fixed : of.hint}</p>
      <Text setup={setup} name="currency" label={of.currency} value={draft.currency} maxLength={3} list="currencies" disabled={fixed} set={(currency) => setup.type({ currency: currency.toUpperCase() })} />
      <datalist id="currencies">
        {currencies.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {all.length === 0 && <p class="wrong">{of.none}</p>}
      {all.map((venue, v) => (
        <List key={venue.id} setup={setup} venue={venue} name={venue.name} field={`price-${v}`} prices={draft.prices[venue.id] ?? {}} put={(category, price) => put(venue.id, category, price)} />
      ))}
      {draft.nights.length > 1 && all.length > 0 && <Own setup={setup} />}
      {places > 0 && /^[A-Z]{3}$/.test(draft.currency) && <p role="status">{of.worth(placesText(places), money({ amount, currency: draft.currency }))}</p>}
      {all.length > 0 && <Later setup={setup} fixed={fixed} />}
    </Form>
  );
}

/** The prices of a venue, or of one night there. */
function List(props: { setup: Setup; venue: Venue; name: string; field: string; prices: Record<string, string>; put: (category: string, price: string) => void }) {
  const { setup, venue, name: of, prices, put } = props;
  return (
    <table>
      <caption dir="auto">{of}</caption>
      <thead>
        <tr>
          <th scope="col">{words.prices.category}</th>
          <th scope="col">{words.prices.places}</th>
          <th scope="col">{words.prices.column}</th>
        </tr>
      </thead>
      <tbody>
        {venue.categories.map(({ name, places }, c) => {
          const field = `${props.field}-${c}`;
          return (
            <tr key={name}>
              <th scope="row" dir="auto">
                {name}
              </th>
              <td>{count(places)}</td>
              <td>
                <input {...marks(setup, field)} type="text" inputMode="decimal" autocomplete="off" maxLength={14} aria-label={words.prices.price(name, of)} value={prices[name] ?? ""} onInput={(event) => put(name, event.currentTarget.value)} />
                {setup.wrong[field] && (
                  <p class="wrong" id={`${field}-wrong`}>
                    {setup.wrong[field]}
                  </p>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Dates that cost something else than the others in their venue. */
function Own({ setup }: { setup: Setup }) {
  const { draft, venues } = setup;
  const of = words.prices;
  return (
    <fieldset>
      <legend>{of.own}</legend>
      <p class="note">{of.ownHint}</p>
      {draft.nights.map((night, i) => {
        const venue = venues.get(night.venue);
        if (!venue) return null;
        const name = `${words.nights.night(i + 1)} · ${night.starts.replace("T", " ")} · ${venue.name}`;
        const { prices } = night;
        return (
          <div key={i}>
            <label class="tick">
              <input type="checkbox" checked={prices !== undefined} onChange={(event) => setup.night(i, { prices: event.currentTarget.checked ? { ...draft.prices[venue.id] } : undefined })} /> <span dir="auto">{name}</span>
            </label>
            {prices && <List setup={setup} venue={venue} name={name} field={`own-${i}`} prices={prices} put={(category, price) => setup.night(i, { prices: { ...prices, [category]: price } })} />}
          </div>
        );
      })}
    </fieldset>
  );
}

function Later({ setup, fixed }: { setup: Setup; fixed: boolean }) {
  const { draft, venues } = setup;
  const of = words.prices;
  const put = (i: number, change: Partial<Batch>) => setup.type({ batches: draft.batches.map((batch, n) => (n === i ? { ...batch, ...change } : batch)) });
  const nights = draft.nights.map((night, i): [string, string] => [String(i), `${words.nights.night(i + 1)} · ${night.starts.replace("T", " ")}`]);
  return (
    <section aria-labelledby="later">
      <h3 id="later">{of.later}</h3>
      <p class="note">{of.laterHint}</p>
      {draft.batches.map((batch, i) => {
        const chosen = batch.night === "" ? venuesOf(draft, venues) : [venues.get(draft.nights[Number(batch.night)]?.venue ?? "")];
        const parts = [...new Set(chosen.flatMap((venue) => venue?.parts.map((part) => part.name) ?? []))];
        const part = partOf(batch, draft, venues);
        return (
          <fieldset key={i} disabled={fixed}>
            <legend>{of.release(i + 1)}</legend>
            <div class="times">
              <Choice setup={setup} name={`night-${i}`} label={of.night} value={batch.night} of={[["", of.allNights], ...nights]} set={(night) => put(i, { night })} />
              <Choice setup={setup} name={`part-${i}`} label={of.part} value={batch.part} of={[["", of.choose], ...parts.map((name): [string, string] => [name, name])]} set={(name) => put(i, { part: name })} />
              {part?.area === false ? (
                <p class="note">{of.whole}</p>
              ) : (
                <Text setup={setup} name={`places-${i}`} label={of.count} value={batch.places} inputMode="numeric" maxLength={6} set={(places) => put(i, { places })} />
              )}
              <Text setup={setup} name={`at-${i}`} label={of.at} type="datetime-local" value={batch.at} set={(at) => put(i, { at })} />
            </div>
            <button type="button" class="quiet" onClick={() => setup.type({ batches: draft.batches.filter((_, n) => n !== i) })}>
              {of.remove(i + 1)}
            </button>
          </fieldset>
        );
      })}
      {!fixed && (
        <button type="button" onClick={() => setup.type({ batches: [...draft.batches, { night: "", part: "", places: "", at: "" }] })}>
          {of.add}
        </button>
      )}
    </section>
  );
}
