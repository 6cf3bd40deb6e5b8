import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Top } from "./Top";

export interface SignInWords {
  heading: string;
  key: string;
  hint: string;
  submit: string;
}

/** The form with which staff sign in to a page of theirs. submit ends when it is known what came of the key. */
export function SignIn(props: { page: string; words: SignInWords; problem: string; submit: (key: string) => Promise<void>; children?: ComponentChildren }) {
  const { words } = props;
  const [key, setKey] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    await props.submit(key.trim());
    field.current?.focus(); // it is gone if the key was good
  };
  return (
    <>
      <Top />
      <main class={props.page}>
        <form class="sign-in card" onSubmit={submit}>
          <h1>{words.heading}</h1>
          <label>
            {words.key}
            <input ref={field} type="password" name="key" autocomplete="current-password" required value={key} onInput={(event) => setKey(event.currentTarget.value)} />
          </label>
          <p class="note">{words.hint}</p>
          <p class="wrong" role="alert">
            {props.problem}
          </p>
          <button type="submit" class="primary">
            {words.submit}
          </button>
          {props.children}
        </form>
      </main>
    </>
  );
}
