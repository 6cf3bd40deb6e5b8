import { setup as words } from "../messages/en";
import { language, moment } from "../messages/format";
import { type Night, without } from "./draft";
import { Choice, Form, Text } from "./Field";
import type { Setup } from "./model";
import { instant, offset, shown } from "./zone";

export function Dates({ setup }: { setup: Setup }) {
  const { draft } = setup;
  const of = words.nights;
  const venues = setup.choices.filter((venue) => venue.version > 0);
  const fixed = setup.made.program !== undefined;
  const nights = (next: Night[]) => setup.type({ nights: next });
  return (
    <Form setup={setup} heading={of.heading} back={() => void setup.visit("show")}>
      <p class="note">{fixed ? words.fixed : of.hint}</p>
      {venues.length === 0 && <p class="wrong">{of.none}</p>}
      {draft.nights.map((night, i) => (
        <fieldset key={i}>
          <legend>{of.night(i + 1)}</legend>
          <Choice setup={setup} name={`venue-${i}`} label={of.venue} value={night.venue} disabled={fixed} of={[["", of.choose], ...venues.map((venue): [string, string] => [venue.id, venue.name])]} set={(venue) => void setup.chooseVenue(i, venue)} />
          <div class="times">
            <Time setup={setup} name={`starts-${i}`} label={of.starts} value={night.starts} set={(starts) => setup.night(i, { starts })} onBlur={() => void setup.warn(i)} />
            <Time setup={setup} name={`doors-${i}`} label={of.doors} value={night.doors} set={(doors) => setup.night(i, { doors })} />
            <Time setup={setup} name={`ends-${i}`} label={of.ends} value={night.ends} set={(ends) => setup.night(i, { ends })} />
          </div>
          <Told setup={setup} night={night} />
          {!fixed && (
            <p class="ways">
              <button type="button" onClick={() => nights([...draft.nights, { ...night, starts: later(night.starts), doors: later(night.doors), ends: later(night.ends) }])}>
                {of.day}
              </button>
              {draft.nights.length > 1 && (
                <button type="button" class="quiet" onClick={() => setup.type(without(draft, i))}>
                  {of.remove(i + 1)}
                </button>
              )}
            </p>
          )}
        </fieldset>
      ))}
      {!fixed && (
        <button type="button" onClick={() => nights([...draft.nights, { venue: "", starts: "", doors: "", ends: "" }])}>
          {of.add}
        </button>
      )}
    </Form>
  );
}

type Props = Parameters<typeof Text>[0];
const Time = (props: Props) => <Text {...props} type="datetime-local" min="2000-01-01T00:00" max="2199-12-31T23:59" />;

/** The same time a day later, by the calendar. */
const later = (local: string) => {
  const at = instant(local, "UTC");
  return typeof at === "object" ? shown(new Date(at.at.getTime() + 86_400_000), "UTC") : local;
};

/** What a time is elsewhere, what its clocks do that night, and what is near it. */
function Told({ setup, night }: { setup: Setup; night: Night }) {
  const venue = setup.venues.get(night.venue);
  const at = venue && instant(night.starts, venue.zone);
  const there = (time: string) => new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short", timeZone: venue!.zone }).format(new Date(time));
  return (
    <div class="told" aria-live="polite">
      {typeof at === "object" && venue && (
        <>
          <p class="note">{words.nights.told(there(at.at.toISOString()), venue.zone, offset(at.at, venue.zone, language()), moment(at.at.toISOString()))}</p>
          {at.twice && <p class="note">{words.nights.twice}</p>}
          {(setup.near[`${night.venue} ${night.starts}`] ?? []).map((clash) => (
            <p key={clash.starts_at + clash.title} class="warning">
              {words.nights.clash(clash.title, there(clash.starts_at))}
            </p>
          ))}
        </>
      )}
    </div>
  );
}
