import { setup as words } from "../messages/en";
import { count } from "../messages/format";
import { Choice, Text } from "./Field";
import type { Setup } from "./model";

/** Codes that lead into a lane: made, counted and withdrawn. */
export function Codes({ setup }: { setup: Setup }) {
  const of = words.codes;
  const { coded, codes, batches } = setup;
  if (coded.length === 0) return null;
  const ask = (change: Partial<typeof codes>) => setup.ask(change);
  const submit = async (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    await setup.makeCodes();
    form.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  };
  return (
    <section class="card part" aria-labelledby="codes">
      <h2 id="codes">{of.heading}</h2>
      <p class="note">{of.hint}</p>
      {batches.length > 0 && (
        <ul class="shows codes">
          {batches.map((batch) => (
            <li key={batch.name}>
              <span>
                <b dir="auto">{batch.name}</b> <span class="note">{of.counts(batch.codes, batch.used)}</span>
              </span>
              {batch.withdrawn ? (
                <span class="note">{of.over}</span>
              ) : (
                <button type="button" class="quiet" onClick={() => void setup.withdrawCodes(batch.name)} disabled={setup.busy} aria-label={of.withdrawOf(batch.name)}>
                  {of.withdraw}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      <form onSubmit={submit} noValidate aria-labelledby="codes">
        <div class="times">
          {coded.length > 1 && <Choice setup={setup} name="codes-lane" label={of.lane} value={codes.lane || coded[0]!.name} of={coded.map((lane): [string, string] => [lane.name, lane.title])} set={(lane) => ask({ lane })} />}
          <Text setup={setup} name="codes-name" label={of.name} value={codes.name} maxLength={40} hint={of.nameHint} set={(name) => ask({ name })} />
          <Text setup={setup} name="codes-count" label={of.count} value={codes.count} inputMode="numeric" maxLength={5} set={(n) => ask({ count: n })} />
          <Text setup={setup} name="codes-uses" label={of.uses} value={codes.uses} inputMode="numeric" maxLength={7} set={(uses) => ask({ uses })} />
        </div>
        <button type="submit" disabled={setup.busy}>
          {of.make}
        </button>
      </form>
      <p class="note">{of.once(count(10_000))}</p>
      <p class="wrong said" role="alert">
        {setup.said}
      </p>
    </section>
  );
}
