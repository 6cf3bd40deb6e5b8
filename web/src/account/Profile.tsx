import { useId, useState } from "preact/hooks";
import * as api from "../api/account";
import type { Profile } from "../api/documents";
import { Refusal } from "../api/http";
import { type Choices, countryChoices, languageChoices, zoneChoices } from "../look/choices";
import { Reminders } from "../look/Reminders";
import { account as words, reminder } from "../messages/en";
import { useAccountAct } from "./act";
import { Field } from "./Field";
import type { Own } from "./own";

const text = words.profile;

export function ProfileForm({ mine, changed }: Own) {
  const [now, setNow] = useState(mine.account.profile);
  const [born, setBorn] = useState(String(mine.account.profile.born ?? ""));
  const [saved, setSaved] = useState(false);
  const { busy, problem, setProblem, act } = useAccountAct();
  const set = (change: Profile) => {
    setSaved(false);
    setNow({ ...now, ...change });
  };
  const save = (event: Event) => {
    event.preventDefault();
    setSaved(false);
    const { born: _, ...rest } = now;
    const year = born.trim();
    if (year !== "" && !/^\d{4}$/.test(year)) return setProblem(text.bornWrong);
    void act(async () => {
      try {
        const kept = await api.putProfile(mine.etag, year === "" ? rest : { ...rest, born: Number(year) });
        changed(kept);
        setNow(kept.account.profile);
        setSaved(true);
      } catch (cause) {
        if (!(cause instanceof Refusal && cause.status === 412)) throw cause;
        const fresh = await api.signedIn();
        if (fresh === undefined) return changed();
        changed(fresh);
        setNow(fresh.account.profile);
        setBorn(String(fresh.account.profile.born ?? ""));
        throw new Refusal(412, cause.code, text.stale, undefined);
      }
    });
  };
  return (
    <>
      <h1>{text.heading}</h1>
      <p class="lead">{text.lead}</p>
      <form class="card box" onSubmit={save}>
        <Field label={text.name} name="name" autocomplete="name" value={now.name ?? ""} set={(name) => set({ name })} />
        <Choice label={text.language} none={text.anyLanguage} value={now.language ?? ""} of={languageChoices(now.language ?? "")} set={(language) => set({ language })} />
        <Choice label={text.zone} none={text.anyZone} value={now.time_zone ?? ""} of={zoneChoices(now.time_zone ?? "")} set={(time_zone) => set({ time_zone })} />
        <h2>{text.more}</h2>
        <p class="note">{text.moreLead}</p>
        <Field label={text.phone} name="phone" type="tel" autocomplete="tel" most={40} value={now.phone ?? ""} set={(phone) => set({ phone })} />
        <Lines label={text.address} value={now.address ?? ""} set={(address) => set({ address })} />
        <Field label={text.city} name="city" autocomplete="address-level2" most={100} value={now.city ?? ""} set={(city) => set({ city })} />
        <Choice label={text.country} none={text.noCountry} value={now.country ?? ""} of={countryChoices(now.country ?? "")} set={(country) => set({ country })} />
        <Field label={text.born} name="born" autocomplete="bday-year" mode="numeric" most={4} value={born} set={setBorn} wrong={problem === text.bornWrong} />
        <label class="check">
          <input type="checkbox" name="counted" aria-describedby="counted" checked={now.counted ?? false} onChange={(event) => set({ counted: event.currentTarget.checked })} />
          {text.counted}
        </label>
        <p id="counted" class="note">
          {text.countedHint}
        </p>
        <Field label={text.gender} name="gender" hint={text.genderHint} most={60} value={now.gender ?? ""} set={(gender) => set({ gender })} />
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (saved ? text.saved : "")}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {text.save}
        </button>
      </form>
      <Reminders lead={reminder.account} load={api.reminder} save={api.remind} />
    </>
  );
}

function Choice(props: { label: string; none: string; value: string; of: Choices; set: (value: string) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select id={id} value={props.value} onChange={(event) => props.set(event.currentTarget.value)}>
        <option value="">{props.none}</option>
        {props.of.map(([each, named]) => (
          <option key={each} value={each}>
            {named}
          </option>
        ))}
      </select>
    </div>
  );
}

function Lines(props: { label: string; value: string; set: (value: string) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <textarea id={id} name="address" rows={3} maxLength={500} autocomplete="street-address" value={props.value} onInput={(event) => props.set(event.currentTarget.value)} />
    </div>
  );
}
