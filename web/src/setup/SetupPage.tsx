import { useEffect, useState } from "preact/hooks";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, setup as words } from "../messages/en";
import { steps } from "./draft";
import { Dates } from "./Dates";
import { Setup } from "./model";
import { Open } from "./Open";
import { Prices } from "./Prices";
import { SaleForm } from "./SaleForm";
import { ShowForm } from "./ShowForm";

const forms = { show: ShowForm, dates: Dates, prices: Prices, sale: SaleForm, open: Open };

export function SetupPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [setup] = useState(() => new Setup(() => redraw((n) => n + 1)));
  useEffect(() => {
    void setup.start(signInKey);
    const back = () => setup.wander();
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  if (!isOpen(setup)) return <Door of={setup} page="setup-page" words={words.signIn} />;
  const open = setup.event !== undefined || setup.fresh;
  const Form = forms[setup.step];
  return (
    <>
      <Top>
        <button type="button" onClick={() => void setup.leave()} disabled={setup.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="events" staff={setup.staff === "yes"} />
      <main class="setup-page">
        <h1 dir="auto">{setup.event?.title ?? words.heading}</h1>
        {setup.staff === "unknown" && <p class={setup.problem ? "wrong" : "note"}>{setup.problem || common.loading}</p>}
        {setup.staff === "yes" && !open && <List setup={setup} />}
        {setup.staff === "yes" && open && (
          <>
            <Steps setup={setup} />
            {setup.conflict !== "" && <Conflict setup={setup} />}
            <Form setup={setup} />
          </>
        )}
      </main>
    </>
  );
}

function List({ setup }: { setup: Setup }) {
  return (
    <section class="card part" aria-labelledby="yours">
      <h2 id="yours">{words.yours}</h2>
      <p class="wrong said" role="alert">
        {setup.problem}
      </p>
      {setup.events.length === 0 && <p>{words.none}</p>}
      <ul class="shows">
        {[...setup.events].reverse().map((event) => (
          <li key={event.id}>
            <span>
              <b dir="auto">{event.title}</b> <span class="note">{`${words.states[event.state]}, ${words.dates(event.performances.length)}`}</span>
            </span>
            {event.state !== "canceled" && (
              <button type="button" disabled={setup.busy} onClick={() => void setup.open(event.id)} aria-label={words.goOnWith(event.title)}>
                {words.goOn}
              </button>
            )}
          </li>
        ))}
      </ul>
      <button type="button" class="primary" disabled={setup.busy} onClick={() => setup.begin()}>
        {words.fresh}
      </button>
    </section>
  );
}

function Steps({ setup }: { setup: Setup }) {
  return (
    <nav class="steps" aria-label={words.stepsName}>
      <ol>
        {steps.map((step) => (
          <li key={step}>
            <button type="button" aria-current={step === setup.step ? "step" : undefined} disabled={setup.busy || (setup.event === undefined && step !== "show")} onClick={() => void setup.visit(step)}>
              {words.steps[step]}
            </button>
          </li>
        ))}
      </ol>
      <p class="note" role="status">
        {setup.event === undefined ? words.notYet : setup.typing ? words.typing : setup.keptAt && words.kept(setup.keptAt)}
      </p>
      <button type="button" class="quiet" disabled={setup.busy} onClick={() => void setup.list()}>
        {words.all}
      </button>
    </nav>
  );
}

function Conflict({ setup }: { setup: Setup }) {
  return (
    <div class="card part conflict" role="alert">
      <p>{words.changed}</p>
      <p class="ways">
        <button type="button" class="primary" onClick={() => void setup.settle("theirs")} disabled={setup.busy}>
          {words.theirs}
        </button>
        <button type="button" onClick={() => void setup.settle("mine")} disabled={setup.busy}>
          {words.mine}
        </button>
      </p>
    </div>
  );
}
