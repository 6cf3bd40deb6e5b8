import { setup as words } from "../messages/en";
import { language, moment } from "../messages/format";
import { type Draft, worth } from "./draft";
import { Choice, Form, Text } from "./Field";
import type { Setup } from "./model";
import { instant, offset } from "./zone";

export function SaleForm({ setup }: { setup: Setup }) {
  const { draft } = setup;
  const of = words.sale;
  const fixed = setup.made.program !== undefined;
  const field = (name: keyof Draft & string, label: string, more: { hint?: string; type?: "datetime-local"; inputMode?: "numeric"; maxLength?: number; disabled?: boolean } = {}) => {
    return <Text setup={setup} name={name} label={label} value={draft[name] as string} set={(value) => setup.type({ [name]: value })} {...more} />;
  };
  const number = (name: keyof Draft & string, label: string, hint?: string, disabled = false) => field(name, label, { inputMode: "numeric", maxLength: 9, disabled, ...(hint && { hint }) });
  const zones = [...new Set([setup.zone, ...[...setup.venues.values()].map((venue) => venue.zone), Intl.DateTimeFormat().resolvedOptions().timeZone])];
  const { places } = worth(draft, setup.venues);
  const minutes = Number(draft.rate) > 0 && places > 0 ? Math.ceil(places / Number(draft.rate)) : 0;
  return (
    <Form setup={setup} heading={of.heading} back={() => void setup.visit("prices")}>
      {fixed && <p class="note">{words.fixed}</p>}
      {field("title", of.title, { maxLength: 200 })}
      {field("id", of.id, { maxLength: 64, disabled: fixed, hint: of.idHint(`${location.origin}/sales/${draft.id}`) })}
      <fieldset>
        <legend>{of.window}</legend>
        <Choice setup={setup} name="zone" label={of.zone} value={setup.zone} of={zones.map((zone): [string, string] => [zone, zone])} set={(zone) => setup.type({ zone })} />
        <div class="times">
          {(["lobbyCloses", "opens", "ends"] as const).map((name) => (
            <div key={name}>
              {field(name, of[name], { type: "datetime-local" })}
              <Told local={draft[name]} zone={setup.zone} />
            </div>
          ))}
        </div>
        <p class="note">{of.windowHint}</p>
      </fieldset>
      <fieldset>
        <legend>{of.pace}</legend>
        <div class="times">
          {number("cap", of.cap)}
          {number("rate", of.rate)}
        </div>
        {minutes > 0 && (
          <p class="note" role="status">
            {of.paceHint(words.minutes(minutes))}
          </p>
        )}
      </fieldset>
      <fieldset>
        <legend>{of.limits}</legend>
        <div class="times">
          {number("perOrder", of.perOrder)}
          {number("perPerson", of.perPerson, of.perPersonHint)}
          {number("hold", of.hold)}
          {number("party", of.party, of.partyHint)}
          {number("notice", of.notice, of.noticeHint)}
        </div>
      </fieldset>
      <fieldset>
        <legend>{of.who}</legend>
        <Choice setup={setup} name="visitor" label={of.visitor} value={draft.visitor} hint={of.visitorHints[draft.visitor]} of={Object.entries(of.visitors)} set={(visitor) => setup.type({ visitor: visitor as Draft["visitor"] })} />
      </fieldset>
      <fieldset>
        <legend>{of.presale}</legend>
        {field("laneTitle", of.lane, { maxLength: 100, hint: of.laneHint })}
        {draft.laneTitle.trim() !== "" && (
          <>
            <div class="times">
              {number("laneShare", of.laneShare)}
              <Choice setup={setup} name="laneEntry" label={of.laneEntry} value={draft.laneEntry} of={Object.entries(of.laneEntries)} set={(entry) => setup.type({ laneEntry: entry as Draft["laneEntry"] })} />
            </div>
            <p class="note">{of.codes}</p>
          </>
        )}
      </fieldset>
      <fieldset>
        <legend>{of.terms}</legend>
        <div class="times">
          {number("refundDays", of.refundDays, of.refundHint, fixed)}
          {draft.refundDays !== "" && number("refundKeep", of.refundKeep, undefined, fixed)}
          {number("transferDays", of.transferDays, of.transferHint, fixed)}
          {draft.transferDays !== "" && number("transferTimes", of.transferTimes, of.transferTimesHint, fixed)}
          <Choice setup={setup} name="names" label={of.names} value={draft.names} of={Object.entries(of.named)} set={(names) => setup.type({ names: names as Draft["names"] })} disabled={fixed} />
          {draft.names === "on" && number("nameDays", of.nameDays, of.nameDaysHint, fixed)}
          {number("tax", of.tax, undefined, fixed)}
        </div>
      </fieldset>
    </Form>
  );
}

/** What a time is by the reader's own clock, if that is another. */
function Told({ local, zone }: { local: string; zone: string }) {
  const at = instant(local, zone);
  if (typeof at !== "object") return null;
  return (
    <p class="note">
      {`${offset(at.at, zone, language())} · ${moment(at.at.toISOString())}`}
      {at.twice && ` ${words.nights.twice}`}
    </p>
  );
}
