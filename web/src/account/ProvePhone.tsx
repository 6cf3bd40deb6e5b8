import type { Ref } from "preact";
import { useState } from "preact/hooks";
import * as api from "../api/account";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";
import { Field } from "./Field";

const text = words.channels.code;

interface Props {
  of: api.Chosen;
  input: Ref<HTMLInputElement>;
  /** Another code was sent. */
  sent: (chosen: api.Chosen) => void;
  proved: (chosen: api.Chosen) => void;
}

/** Whether a number is somebody's: they have a code sent there, and type it. */
export function ProvePhone({ of, input, sent, proved }: Props) {
  const [code, setCode] = useState("");
  const [told, setTold] = useState("");
  const { busy, problem, act } = useAccountAct();
  const number = of.phone ?? "";
  const submit = (event: Event) => {
    event.preventDefault();
    setTold("");
    void act(async () => proved(await api.provePhone(code)));
  };
  const again = () => {
    setTold("");
    void act(async () => {
      await api.sendPhoneCode();
      sent(await api.channels());
      setCode("");
      setTold(text.sentAgain);
    });
  };
  return (
    <form class="card box channels" onSubmit={submit} aria-labelledby="phone-code">
      <h2 id="phone-code">{text.heading}</h2>
      <p>{of.code_until ? text.sent(number) : text.none(number)}</p>
      <p class="note">{text.why}</p>
      <Field label={text.label} name="code" autocomplete="one-time-code" mode="numeric" needed most={10} value={code} set={setCode} input={input} wrong={problem === text.wrong} />
      <p class="wrong" role="alert">
        {problem}
      </p>
      <p class="note" role="status">
        {told}
      </p>
      <p class="acts">
        <button type="submit" class="primary" disabled={busy}>
          {text.submit}
        </button>
        <button type="button" disabled={busy} onClick={again}>
          {text.again}
        </button>
      </p>
    </form>
  );
}
