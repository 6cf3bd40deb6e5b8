import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Suggestion } from "../api/documents";
import { addressOf, suggest } from "../api/guide";
import { home } from "../messages/en";

const words = home.search;

/** Preact knows this role with a datalist only. */
const combobox: object = { role: "combobox" };

/** After the last letter, in ms. */
const pause = 150;

/** A text to look for, with what it may be the beginning of: arrows choose, Enter goes there, Escape closes. */
export function SearchBox(props: { text: string; find: (text: string) => void }) {
  const [text, setText] = useState(props.text);
  const [typed, setTyped] = useState(""); // what suggestions are asked for: nothing that was not typed
  const [found, setFound] = useState<Suggestion[]>([]);
  const [at, setAt] = useState(-1);
  const [open, setOpen] = useState(false);
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => setText(props.text), [props.text]);
  useEffect(() => {
    setAt(-1);
    if (typed.trim() === "") return setFound([]);
    let over = false;
    const timer = setTimeout(() => {
      suggest(typed.trim()).then((all) => over || setFound(all), () => over || setFound([])); // one can look without
    }, pause);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [typed]);
  const shown = open && found.length > 0;
  const close = () => {
    setOpen(false);
    setAt(-1);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const chosen = shown ? found[at] : undefined;
    close();
    if (chosen) location.assign(addressOf(chosen));
    else props.find(text.trim());
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape" && shown) {
      event.preventDefault();
      close();
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0 || found.length === 0) return;
    event.preventDefault();
    setOpen(true);
    setAt(((at + 1 + step + found.length + 1) % (found.length + 1)) - 1); // -1 is the field itself
  };
  const left = (event: FocusEvent) => {
    if (!form.current?.contains(event.relatedTarget as Node | null)) close();
  };
  return (
    <form class="search" role="search" ref={form} onSubmit={submit} onFocusOut={left}>
      <label class="unseen" for={`${id}-text`}>
        {words.label}
      </label>
      <div class="box">
        <input
          id={`${id}-text`}
          type="search"
          name="q"
          {...combobox}
          autocomplete="off"
          maxLength={100}
          placeholder={words.label}
          aria-autocomplete="list"
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-activedescendant={shown && at >= 0 ? `${id}-${at}` : undefined}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setTyped(event.currentTarget.value);
            setOpen(true);
          }}
          onKeyDown={key}
        />
        <ul id={`${id}-list`} role="listbox" aria-label={words.suggestions} class="suggestions" hidden={!shown}>
          {found.map((each, i) => (
            // The mouse goes there before the field loses the focus, and the list with it.
            <li key={each.kind + each.id} id={`${id}-${i}`} role="option" aria-selected={i === at} onMouseDown={(event) => event.preventDefault()} onClick={() => location.assign(addressOf(each))}>
              <span dir="auto">{each.name}</span>
              <span class="note">{each.kind === "event" ? (each.line ?? home.kind.event) : home.kind[each.kind] + (each.line ? ` · ${each.line}` : "")}</span>
            </li>
          ))}
        </ul>
      </div>
      <button type="submit" class="primary">
        {words.go}
      </button>
      <p class="unseen" role="status">
        {shown ? words.suggested(found.length) : ""}
      </p>
    </form>
  );
}
