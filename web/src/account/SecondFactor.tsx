import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import { Keep } from "../look/Keep";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";
import { Field } from "./Field";
import { backOf } from "./letter";
import type { Own } from "./own";

const text = words.security.second;

/** Off, being set up, its recovery codes, or on. */
export function SecondFactor({ mine, changed }: Own) {
  const [setUp, setSetUp] = useState<{ address: string; qr: string }>();
  const [codes, setCodes] = useState<string[]>();
  const [told, setTold] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const step = codes ? "codes" : setUp ? "set-up" : mine.account.second_factor ? "on" : "off";
  const back = backOf(location.search);
  const first = useRef(step);
  useEffect(() => {
    if (step !== first.current) heading.current?.focus(); // what was pressed is gone
    first.current = step;
  }, [step]);
  return (
    <section class="card box" data-second={step}>
      <h2 ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      <p class="note told" role="status">
        {told}
      </p>
      {step === "off" && <Begin began={(made) => (setTold(""), setSetUp(made))} />}
      {setUp && !codes && (
        <Prove
          of={setUp}
          proved={(made) => {
            setCodes(made);
            setTold(text.done);
            changed();
          }}
        />
      )}
      {codes && (
        <Codes
          codes={codes}
          kept={() => {
            setCodes(undefined);
            setSetUp(undefined);
          }}
        />
      )}
      {step === "on" && back !== "" && (
        <p>
          <a class="button primary" href={back}>
            {text.goOn}
          </a>
        </p>
      )}
      {step === "on" && (
        <Remove
          left={mine.account.recovery_codes}
          removed={() => {
            setTold(text.removed);
            changed();
          }}
        />
      )}
    </section>
  );
}

function Begin({ began }: { began: (made: { address: string; qr: string }) => void }) {
  const [password, setPassword] = useState("");
  const { busy, problem, act } = useAccountAct();
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => began(await api.beginSecond(password)));
  };
  return (
    <form onSubmit={submit}>
      <p>{text.off}</p>
      <Field label={words.password} name="second-password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
      <p class="wrong" role="alert">
        {problem}
      </p>
      <button type="submit" disabled={busy}>
        {text.begin}
      </button>
    </form>
  );
}

/** The key that an authenticator's address carries, in groups of four. */
export function keyOf(address: string): string {
  return (new URL(address).searchParams.get("secret") ?? "").replace(/(.{4})(?=.)/g, "$1 ");
}

function Prove({ of, proved }: { of: { address: string; qr: string }; proved: (codes: string[]) => void }) {
  const [code, setCode] = useState("");
  const { busy, problem, act } = useAccountAct();
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => proved(await api.proveSecond(code.trim())));
  };
  return (
    <form onSubmit={submit}>
      <p>{text.scan}</p>
      {/* An image of its own: what is in the SVG can neither run nor reach the page. */}
      <p class="paper">
        <img src={`data:image/svg+xml,${encodeURIComponent(of.qr)}`} alt={text.qr} width={200} height={200} />
      </p>
      <p>
        {text.key} <code class="secret">{keyOf(of.address)}</code>
      </p>
      <p>{text.prove}</p>
      <Field label={words.code} name="code" autocomplete="one-time-code" mode="numeric" needed most={10} value={code} set={setCode} />
      <p class="wrong" role="alert">
        {problem}
      </p>
      <button type="submit" class="primary" disabled={busy}>
        {text.submit}
      </button>
    </form>
  );
}

function Codes({ codes, kept }: { codes: string[]; kept: () => void }) {
  return (
    <>
      <h3>{text.codes}</h3>
      <p>{text.codesLead}</p>
      <ul class="codes">
        {codes.map((each) => (
          <li key={each}>
            <code>{each}</code>
          </li>
        ))}
      </ul>
      <Keep value={codes.join("\n")} text={text} kept={kept} />
    </>
  );
}

function Remove({ left, removed }: { left: number; removed: () => void }) {
  const [code, setCode] = useState("");
  const { busy, problem, act } = useAccountAct();
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await api.removeSecond(code.trim());
      removed();
    });
  };
  return (
    <form onSubmit={submit}>
      <p>{text.on}</p>
      <p class="note">{text.left(left)}</p>
      <Field label={text.removeLead} name="code" autocomplete="one-time-code" needed most={40} value={code} set={setCode} />
      <p class="wrong" role="alert">
        {problem}
      </p>
      <button type="submit" disabled={busy}>
        {text.remove}
      </button>
    </form>
  );
}
