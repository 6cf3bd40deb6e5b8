import type { Readiness } from "../api/desk";
import { desk as words } from "../messages/en";

/** Whoever knows the checklist of a sale, and asks for it anew. */
interface Checking {
  busy: boolean;
  crowd: number;
  readiness: Readiness | undefined;
  check(crowd: number): Promise<void>;
}

export function Ready({ desk }: { desk: Checking }) {
  const { readiness } = desk;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void desk.check(Number(new FormData(event.currentTarget as HTMLFormElement).get("crowd") ?? 0));
  };
  return (
    <section class="card part ready" aria-labelledby="ready">
      <h2 id="ready">{words.ready}</h2>
      <form onSubmit={submit}>
        <label>
          {words.crowd}
          <input type="number" name="crowd" min={0} max={100_000_000} defaultValue={String(desk.crowd)} />
        </label>
        <button type="submit" disabled={desk.busy}>
          {words.check}
        </button>
      </form>
      {readiness && (
        <>
          <p role="status" class={`whole ${readiness.state}`}>
            {words.whole[readiness.state]}
          </p>
          <ul>
            {readiness.items.map((item) => (
              <li key={item.name} data-item={item.name} data-state={item.state}>
                <strong>{words.items[item.name]}</strong> <span class={`state ${item.state}`}>{words.stateOf[item.state]}</span>
                <p>{item.reason}</p>
                {item.do && <p class="note">{item.do}</p>}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
