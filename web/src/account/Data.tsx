import { useState } from "preact/hooks";
import * as api from "../api/account";
import { Dialog } from "../look/Dialog";
import { account as words } from "../messages/en";
import { useAccountAct } from "./act";
import { Field } from "./Field";

const text = words.data;

export function Data({ erased }: { erased: () => void }) {
  const [password, setPassword] = useState("");
  const [asked, setAsked] = useState(false);
  const { busy, problem, act } = useAccountAct();
  const erase = () =>
    void act(async () => {
      setAsked(false);
      await api.erase(password);
      erased();
    });
  return (
    <>
      <h1>{text.heading}</h1>
      <section class="card box">
        <h2>{text.export}</h2>
        <p>{text.exportLead}</p>
        <a class="button" href={api.exported} download>
          {text.download}
        </a>
      </section>
      <form
        class="card box"
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(true);
        }}
      >
        <h2>{text.erase}</h2>
        <p>{text.eraseLead}</p>
        <Field label={words.password} name="password" type="password" autocomplete="current-password" needed value={password} set={setPassword} />
        <p class="wrong" role="alert">
          {problem}
        </p>
        <button type="submit" disabled={busy}>
          {text.act}
        </button>
      </form>
      {asked && (
        <Dialog title={text.ask} no={text.no} yes={text.yes} onNo={() => setAsked(false)} onYes={erase}>
          <p>{text.final}</p>
        </Dialog>
      )}
    </>
  );
}
