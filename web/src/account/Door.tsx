import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/account";
import { Refusal } from "../api/http";
import { Elsewhere } from "../look/Elsewhere";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";
import { Field } from "./Field";
import { workOf } from "./letter";

/** A form of one heading, and one thing to do. */
function Form(props: { heading: string; lead?: string; told?: string; problem: string; busy: boolean; submit: string; go: () => void; children: ComponentChildren; after?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <main class="account">
      <form
        class="card door"
        onSubmit={(event) => {
          event.preventDefault();
          props.go();
        }}
      >
        <h1 ref={heading} tabIndex={-1}>
          {props.heading}
        </h1>
        {props.told && <p role="status">{props.told}</p>}
        {props.lead && <p class="note">{props.lead}</p>}
        {props.children}
        <p class="wrong" role="alert">
          {props.problem}
        </p>
        <button type="submit" class="primary" disabled={props.busy}>
          {props.submit}
        </button>
        {props.after}
      </form>
    </main>
  );
}

const withBack = (path: string) => path + (location.search.includes("back=") ? location.search : "");

/** done: somebody is signed in. wrong: what came of a sign-in elsewhere; next: what follows one. */
export function SignIn({ told, wrong, next, done }: { told?: string; wrong?: string; next: string; done: () => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [waits, setWaits] = useState(false);
  const [over, setOver] = useState(false);
  const { busy, problem, act } = useAccountAct();
  if (waits) {
    const late = () => {
      setOver(true);
      setWaits(false);
      setPassword("");
    };
    return <Second done={done} over={late} />;
  }
  const go = () =>
    act(async () => {
      setOver(false);
      if ((await api.signIn(email.trim(), password)).waits) setWaits(true);
      else done();
    });
  const after = (
    <>
      <Elsewhere next={next} />
      <p>
        <a href={withBack("/account/forgot")}>{words.signIn.forgot}</a>
      </p>
      <p>
        {words.signIn.none} <a href={withBack("/account/sign-up")}>{words.signIn.signUp}</a>
      </p>
    </>
  );
  return (
    <Form {...words.signIn} {...(told ? { told } : {})} problem={over ? words.second.over : busy ? "" : problem || (wrong ?? "")} busy={busy} go={() => void go()} after={after}>
      <Field label={words.email} name="email" type="email" autocomplete="username" needed value={email} set={setEmail} />
      <Field label={words.password} name="password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
    </Form>
  );
}

/** Behind the password, or a sign-in elsewhere: a code. over: it was tried too often, or took too long. */
export function Second({ done, over }: { done: () => void; over: () => void }) {
  const [code, setCode] = useState("");
  const { busy, problem, act } = useAccountAct();
  const go = () =>
    act(async () => {
      try {
        await api.second(code.trim());
        done();
      } catch (cause) {
        if (cause instanceof Refusal && cause.code === "signed-out") return over();
        throw cause;
      }
    });
  return (
    <Form key="second" {...words.second} problem={problem} busy={busy} go={() => void go()}>
      <Field label={words.code} name="code" autocomplete="one-time-code" needed most={40} value={code} set={setCode} />
    </Form>
  );
}

export function SignUp() {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, problem, act } = useAccountAct();
  if (sent) return <Sent text={words.sent.signUp(email.trim())} again={() => setSent(false)} />;
  const go = () =>
    act(async () => {
      await api.signUp(email.trim(), password, { name: name.trim(), time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
      setSent(true);
    });
  const after = (
    <p>
      {words.signUp.have} <a href={withBack("/account")}>{words.signUp.signIn}</a>
    </p>
  );
  return (
    <Form {...words.signUp} problem={problem} busy={busy} go={() => void go()} after={after}>
      <Field label={words.email} name="email" type="email" autocomplete="username" needed value={email} set={setEmail} />
      <Field label={words.password} name="password" type="password" autocomplete="new-password" needed hint={words.signUp.passwordHint} value={password} set={setPassword} />
      <Field label={words.signUp.name} name="name" autocomplete="name" hint={words.signUp.nameHint} value={name} set={setName} />
    </Form>
  );
}

export function Forgot() {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, problem, act } = useAccountAct();
  if (sent) return <Sent text={words.sent.forgot(email.trim())} again={() => setSent(false)} />;
  const go = () =>
    act(async () => {
      await api.forgot(email.trim());
      setSent(true);
    });
  return (
    <Form {...words.forgot} problem={problem} busy={busy} go={() => void go()}>
      <Field label={words.email} name="email" type="email" autocomplete="username" needed value={email} set={setEmail} />
    </Form>
  );
}

function Sent({ text, again }: { text: string; again: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <main class="account">
      <section class="card door">
        <h1 ref={heading} tabIndex={-1}>
          {words.sent.heading}
        </h1>
        <p>{text}</p>
        <p class="note">{words.sent.none}</p>
        <button type="button" onClick={again}>
          {words.sent.again}
        </button>
      </section>
    </main>
  );
}

const askAgain = (to: string) => (
  <p>
    <a href={to}>{words.askAgain}</a>
  </p>
);

/** The letter of a new account. */
export function Confirm({ token, done }: { token: string; done: () => void }) {
  const [password, setPassword] = useState("");
  const { busy, problem, act } = useAccountAct();
  const go = () =>
    act(async () => {
      await api.confirm(token, password);
      done();
    });
  const after = (
    <>
      {problem === words.linkOver && askAgain("/account/sign-up")}
      <p>
        <a href="/account/forgot">{words.confirm.forgotten}</a>
      </p>
    </>
  );
  return (
    <Form {...words.confirm} problem={problem} busy={busy} go={() => void go()} after={after}>
      <Field label={words.password} name="password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
    </Form>
  );
}

/** The letter of a forgotten password. */
export function Reset({ token, done }: { token: string; done: () => void }) {
  const [password, setPassword] = useState("");
  const { busy, problem, act } = useAccountAct();
  const go = () =>
    act(async () => {
      await api.reset(token, password);
      done();
    });
  return (
    <Form {...words.reset} problem={problem} busy={busy} go={() => void go()} after={problem === words.linkOver ? askAgain("/account/forgot") : null}>
      <Field label={words.password} name="password" type="password" autocomplete="new-password" needed hint={words.signUp.passwordHint} value={password} set={setPassword} />
    </Form>
  );
}

/** An invitation to work for an organization, for who is signed in. leave: it is for somebody else. */
export function Invited({ token, email, second, done, leave }: { token: string; email: string; second: boolean; done: () => void; leave: () => void }) {
  const [taken, setTaken] = useState<{ name?: string; roles: string[] }>();
  const { busy, problem, act } = useAccountAct();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (taken) heading.current?.focus(); // the button that was pressed is gone
  }, [taken]);
  if (taken !== undefined) {
    const work = workOf(taken.roles);
    return (
      <main class="account">
        <section class="card door">
          <h1 ref={heading} tabIndex={-1}>
            {words.invited.done(taken.name ?? "")}
          </h1>
          {!second && <p>{words.invited.second}</p>}
          {!second && (
            <a class="button primary" href={`/account/security${work && `?back=${encodeURIComponent(work)}`}`}>
              {words.invited.setUp}
            </a>
          )}
          {second && work !== "" && (
            <a class="button primary" href={work}>
              {words.invited.on}
            </a>
          )}
        </section>
      </main>
    );
  }
  const go = () =>
    act(async () => {
      const role = await api.accept(token);
      done();
      setTaken(role);
    });
  const other = (
    <button type="button" onClick={leave} disabled={busy}>
      {words.invited.other}
    </button>
  );
  return (
    <Form heading={words.invited.heading} lead={words.invited.lead(email)} submit={words.invited.submit} problem={problem} busy={busy} go={() => void go()} after={other}>
      {null}
    </Form>
  );
}

/** The letter to another address of an account. It asks first: programs that look into letters open links. */
export function Move({ token }: { token: string }) {
  const [moved, setMoved] = useState(false);
  const { busy, problem, act } = useAccountAct();
  if (moved) {
    return (
      <main class="account">
        <section class="card door">
          <h1>{words.move.done}</h1>
          <a class="button primary" href="/account">
            {words.move.on}
          </a>
        </section>
      </main>
    );
  }
  const go = () =>
    act(async () => {
      await api.move(token);
      setMoved(true);
    });
  return (
    <Form {...words.move} problem={problem} busy={busy} go={() => void go()} after={problem === words.linkOver ? askAgain("/account/security") : null}>
      {null}
    </Form>
  );
}
