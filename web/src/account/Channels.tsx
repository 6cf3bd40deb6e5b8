import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import { Refusal } from "../api/http";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";

const text = words.channels;

/** How somebody is told of what. */
export function Channels() {
  const [has, setHas] = useState<api.Channels>();
  const [told, setTold] = useState("");
  const [wrong, setWrong] = useState(false);
  const { busy, problem, act } = useAccountAct();
  useEffect(() => void act(async () => setHas(await api.channels())), []);
  if (!has) return null;
  const change = (now: Partial<api.Channels>) => {
    setTold("");
    setWrong(false);
    setHas({ ...has, ...now });
  };
  const without = (kinds: api.Telling[], kind: api.Telling) => kinds.filter((each) => each !== kind);
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      try {
        setHas(await api.putChannels(has));
        setTold(text.saved);
      } catch (cause) {
        if (!(cause instanceof Refusal && cause.code === "channels-invalid")) throw cause;
        setWrong(true);
      }
    });
  };
  return (
    <form class="card box channels" onSubmit={submit} aria-labelledby="channels">
      <h2 id="channels">{text.heading}</h2>
      <p>{text.lead}</p>
      {api.tellings.map((kind) => (
        <fieldset key={kind}>
          <legend>{text.kinds[kind]}</legend>
          <label>
            <input type="checkbox" aria-label={text.mailOf(text.kinds[kind])} checked={!has.silent.includes(kind)} onChange={(event) => change({ silent: event.currentTarget.checked ? without(has.silent, kind) : [...has.silent, kind] })} />
            {text.mail}
          </label>
          <label>
            <input type="checkbox" aria-label={text.textOf(text.kinds[kind])} checked={has.texts.includes(kind)} onChange={(event) => change({ texts: event.currentTarget.checked ? [...has.texts, kind] : without(has.texts, kind) })} />
            {text.text}
          </label>
        </fieldset>
      ))}
      <div class="field">
        <label for="phone">{text.phone}</label>
        <input id="phone" type="tel" name="phone" autocomplete="tel" maxLength={30} aria-invalid={wrong} aria-describedby="phone-hint phone-wrong" value={has.phone ?? ""} onInput={(event) => change({ phone: event.currentTarget.value })} />
        <p class="note" id="phone-hint">
          {text.phoneHint}
        </p>
      </div>
      <p class="wrong" id="phone-wrong" role="alert">
        {wrong ? text.noPhone : problem}
      </p>
      <p class="note" role="status">
        {told}
      </p>
      <button type="submit" class="primary" disabled={busy}>
        {text.save}
      </button>
    </form>
  );
}
