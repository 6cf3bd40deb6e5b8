import type { Ref } from "preact";
import { useId } from "preact/hooks";

interface Props {
  label: string;
  name: string;
  value: string;
  set: (value: string) => void;
  hint?: string;
  type?: "text" | "email" | "password" | "tel";
  autocomplete?: string;
  mode?: "numeric";
  most?: number;
  needed?: boolean;
  wrong?: boolean;
  input?: Ref<HTMLInputElement>;
}

export function Field(props: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        ref={props.input ?? null}
        type={(props.type ?? "text") as "text"} // one of those that are for text
        name={props.name}
        value={props.value}
        autocomplete={props.autocomplete ?? "off"}
        required={props.needed ?? false}
        aria-invalid={props.wrong ?? false}
        maxLength={props.most ?? 200}
        {...(props.mode ? { inputMode: props.mode } : {})}
        {...(props.type === "email" || props.type === "password" ? { spellcheck: false, autocapitalize: "none" } : {})}
        {...(props.hint ? { "aria-describedby": `${id}-hint` } : {})}
        onInput={(event) => props.set(event.currentTarget.value)}
      />
      {props.hint && (
        <span class="note" id={`${id}-hint`}>
          {props.hint}
        </span>
      )}
    </div>
  );
}
