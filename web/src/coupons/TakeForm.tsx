import { useRef, useState } from "preact/hooks";
import * as api from "../api/coupons";
import { Disconnected } from "../api/http";
import { Once } from "../api/once";
import { coupons as words } from "../messages/en";
import { ownBag } from "./keep";
import { wordsFor } from "./problem";

/** Takes a coupon whose code one has into this browser's bag. */
export function TakeForm(props: { code?: string; done?: () => void }) {
  const [code, setCode] = useState(props.code ?? "");
  const [taken, setTaken] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const once = useRef(new Once()).current;
  const submit = async (event: Event) => {
    event.preventDefault();
    const of = code.trim();
    if (busy || of === "") return;
    setBusy(true);
    setProblem("");
    setTaken(false);
    try {
      await api.take(await ownBag(), of, once.key(of));
      once.answered();
      setTaken(true);
      setCode("");
      props.done?.();
    } catch (cause) {
      setProblem(wordsFor(cause));
      if (!(cause instanceof Disconnected)) once.answered();
    }
    setBusy(false);
  };
  return (
    <form class="code" onSubmit={(event) => void submit(event)} noValidate>
      <label>
        {words.bag.codeLabel}
        <input
          name="code"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          maxLength={64}
          value={code}
          aria-describedby="code-hint code-told"
          aria-invalid={problem !== ""}
          onInput={(event) => setCode(event.currentTarget.value)}
        />
        <span class="note" id="code-hint">
          {words.bag.addHint}
        </span>
      </label>
      <div class="acts">
        <button type="submit" class={props.code ? "primary" : ""} disabled={busy || code.trim() === ""}>
          {words.bag.take}
        </button>
        {taken && !props.done && (
          <a class="button primary" href="/coupons/bag">
            {words.page.see}
          </a>
        )}
      </div>
      <p class={problem ? "wrong" : "note"} id="code-told" role="status">
        {problem || (taken ? words.bag.taken : "")}
      </p>
    </form>
  );
}
