import { useId, useRef, useState } from "preact/hooks";
import { Once } from "../api/once";
import * as api from "../api/reviews";
import { useAct } from "../look/act";
import { home, reviews as words } from "../messages/en";
import { Stars } from "./Stars";

/** What somebody has to say. was: a review that they change. */
export function PostForm(props: { kind: api.Kind; about: Pick<api.Draft, "event" | "parent">; name: string; was?: api.Own | undefined; done: (text: string) => void }) {
  const { kind, about, was } = props;
  const id = useId();
  const once = useRef(new Once());
  const [stars, setStars] = useState(was?.stars ?? 0);
  const [name, setName] = useState(was?.name ?? props.name);
  const [text, setText] = useState(was?.text ?? "");
  const { busy, problem, setProblem, act } = useAct(() => undefined, home.lost);
  const send = (event: Event) => {
    event.preventDefault();
    if (kind === "review" && stars === 0) return setProblem(words.noStars);
    const said = { ...(kind === "review" ? { stars } : {}), name: name.trim(), text: text.trim() };
    void act(async () => {
      const draft = { kind, ...about, ...said };
      const kept = was ? await api.change(was.id, said) : await api.write(draft, once.current.key(JSON.stringify(draft)));
      once.current.answered();
      if (!was) setText("");
      props.done(kept.state === "shown" ? words.shown : words.waits);
    });
  };
  return (
    <form class="say" onSubmit={send} onInput={() => setProblem("")}>
      {kind === "review" && (
        <fieldset>
          <legend>{words.rate}</legend>
          {[1, 2, 3, 4, 5].map((n) => (
            <label key={n}>
              <input type="radio" name={`${id}-stars`} value={n} checked={stars === n} onChange={() => setStars(n)} />
              <Stars of={n} /> {words.stars(n)}
            </label>
          ))}
        </fieldset>
      )}
      <label>
        {words.textOf[kind]}
        <textarea rows={kind === "review" ? 6 : 3} maxLength={2000} required value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <label>
        {words.name}
        <input maxLength={60} autocomplete="nickname" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <p class="wrong" role="alert">
        {problem}
      </p>
      <button type="submit" class="primary" disabled={busy}>
        {was ? words.save : words.send[kind]}
      </button>
    </form>
  );
}
