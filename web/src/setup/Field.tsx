import type { ComponentChildren } from "preact";
import { setup as words } from "../messages/en";
import type { Setup } from "./model";

/** What says to a control which field it is, and whether something is wrong with it. */
export const marks = (setup: Setup, name: string, hint = false) => {
  const told = [hint && `${name}-hint`, setup.wrong[name] && `${name}-wrong`].filter(Boolean).join(" ");
  return { id: name, name, "aria-invalid": setup.wrong[name] ? (true as const) : undefined, "aria-describedby": told || undefined };
};

/** A label, a control, what there is to know of it and what is wrong with it. */
export function Labeled(props: { setup: Setup; name: string; label: string; hint?: ComponentChildren; children: ComponentChildren }) {
  const { setup, name } = props;
  return (
    <div class="field">
      <label for={name}>{props.label}</label>
      {props.children}
      {props.hint && (
        <p class="note" id={`${name}-hint`}>
          {props.hint}
        </p>
      )}
      {setup.wrong[name] && (
        <p class="wrong" id={`${name}-wrong`}>
          {setup.wrong[name]}
        </p>
      )}
    </div>
  );
}

interface Typed {
  type?: "text" | "datetime-local";
  inputMode?: "numeric" | "decimal";
  maxLength?: number;
  min?: string;
  max?: string;
  list?: string;
  disabled?: boolean;
  onBlur?: () => void;
}

export function Text(props: Typed & { setup: Setup; name: string; label: string; value: string; set: (value: string) => void; hint?: ComponentChildren }) {
  const { setup, name, label, value, set, hint, ...rest } = props;
  return (
    <Labeled setup={setup} name={name} label={label} hint={hint}>
      <input type="text" autocomplete="off" {...(rest as object)} {...marks(setup, name, hint !== undefined)} value={value} onInput={(event) => set(event.currentTarget.value)} />
    </Labeled>
  );
}

export function Choice(props: { setup: Setup; name: string; label: string; value: string; of: [string, string][]; set: (value: string) => void; hint?: ComponentChildren; disabled?: boolean }) {
  const { setup, name, label, value, of, set, hint } = props;
  return (
    <Labeled setup={setup} name={name} label={label} hint={hint}>
      <select {...marks(setup, name, hint !== undefined)} value={value} disabled={props.disabled} onChange={(event) => set(event.currentTarget.value)}>
        {of.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </Labeled>
  );
}

/** A step's form: its heading, its fields, and the way on and back. */
export function Form(props: { setup: Setup; heading: string; back?: () => void; children: ComponentChildren }) {
  const { setup } = props;
  const submit = async (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    await setup.next();
    form.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  };
  return (
    <form class="card part" onSubmit={submit} noValidate aria-labelledby="step">
      <h2 id="step">{props.heading}</h2>
      {props.children}
      <p class="wrong said" role="alert">
        {setup.said}
      </p>
      <p class="ways">
        {props.back && (
          <button type="button" onClick={props.back} disabled={setup.busy}>
            {words.back}
          </button>
        )}
        <button type="submit" class="primary" disabled={setup.busy}>
          {words.next}
        </button>
      </p>
    </form>
  );
}
