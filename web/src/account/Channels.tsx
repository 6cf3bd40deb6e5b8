import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import { Refusal } from "../api/http";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";
import { ProvePhone } from "./ProvePhone";

const text = words.channels;

/** How somebody is told of what. */
export function Channels() {
  const [kept, setKept] = useState<api.Chosen>();
  const [has, setHas] = useState<api.Channels>({ texts: [], silent: [] });
  const [told, setTold] = useState("");
  const [wrong, setWrong] = useState(false);
  const { busy, problem, act } = useAccountAct();
  const code = useRef<HTMLInputElement>(null);
  const status = useRef<HTMLParagraphElement>(null);
  const read = (chosen: api.Chosen) => {
    setKept(chosen);
    setHas(chosen);
  };
  useEffect(() => void act(async () => read(await api.channels())), []);
  if (!kept) return null;
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
        const chosen = await api.putChannels(has);
        read(chosen);
        setTold(text.saved);
        if (chosen.phone !== kept.phone && chosen.code_until) requestAnimationFrame(() => code.current?.focus());
      } catch (cause) {
        if (!(cause instanceof Refusal && cause.code === "channels-invalid")) throw cause;
        setWrong(true);
      }
    });
  };
  const same = kept.phone !== undefined && has.phone === kept.phone;
  return (
    <>
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
        {!kept.texting && <p class="note">{text.off}</p>}
        <div class="field">
          <label for="phone">{text.phone}</label>
          <input id="phone" type="tel" name="phone" autocomplete="tel" maxLength={30} aria-invalid={wrong} aria-describedby="phone-hint phone-wrong" value={has.phone ?? ""} onInput={(event) => change({ phone: event.currentTarget.value })} />
          <p class="note" id="phone-hint">
            {!same ? text.phoneHint : kept.confirmed ? text.confirmed : text.unconfirmed}
          </p>
        </div>
        <p class="wrong" id="phone-wrong" role="alert">
          {wrong ? text.noPhone : problem}
        </p>
        <p class="note" role="status" ref={status} tabIndex={-1}>
          {told}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {text.save}
        </button>
      </form>
      {same && !kept.confirmed && (
        <ProvePhone
          of={kept}
          input={code}
          sent={setKept}
          proved={(chosen) => {
            setKept(chosen); // what is typed and not kept yet stays
            setTold(text.code.done);
            requestAnimationFrame(() => status.current?.focus()); // the field that had it is gone
          }}
        />
      )}
    </>
  );
}
