import { useRef } from "preact/hooks";
import { letters as words } from "../messages/en";
import type { Letters } from "./model";

const text = words.dead;

/** What the mail server did not take, with why. */
export function DeadLetters({ letters }: { letters: Letters }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { list, next } = letters.dead!;
  return (
    <section class="card part" aria-labelledby="dead">
      <h2 id="dead" ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      <p class="note">{text.lead}</p>
      {list.length === 0 && <p class="note">{text.none}</p>}
      <ul class="lines">
        {list.map((each) => (
          <li key={each.id}>
            <div>
              <b>{each.to ?? text.unknown}</b>
              <p>{each.subject ?? text.noSubject}</p>
              <p class="note">{text.why(each.problem ?? "", each.tries, each.changed)}</p>
            </div>
            {each.to !== undefined && (
              <button type="button" disabled={letters.busy} aria-label={text.retryOf(each.to)} onClick={() => void letters.retry(each).then(() => heading.current?.focus())}>
                {text.retry}
              </button>
            )}
          </li>
        ))}
      </ul>
      {next !== "" && (
        <button type="button" disabled={letters.busy} onClick={() => void letters.moreDead()}>
          {words.more}
        </button>
      )}
    </section>
  );
}
