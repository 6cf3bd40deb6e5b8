import { useState } from "preact/hooks";
import type { Shown } from "../api/letters";
import { letters as words } from "../messages/en";

const text = words.preview;

/** A letter as mail programs show it. Its frame runs no script, and belongs to nobody. */
export function AsItArrives({ shown }: { shown: Shown | undefined }) {
  const [as, setAs] = useState<"html" | "text">("html");
  return (
    <section class="arrives" aria-labelledby="arrives">
      <h3 id="arrives">{text.heading}</h3>
      <p class="note">{text.lead}</p>
      <div class="names">
        {(["html", "text"] as const).map((each) => (
          <button key={each} type="button" aria-pressed={as === each} onClick={() => setAs(each)}>
            {text[each]}
          </button>
        ))}
      </div>
      {shown === undefined && <p class="note">{text.none}</p>}
      {shown && as === "html" && <iframe title={text.heading} sandbox="" srcdoc={shown.html} />}
      {shown && as === "text" && (
        <div class="as-text" tabIndex={0}>
          <p>
            <b>{shown.subject}</b>
          </p>
          <p class="plain">{shown.text}</p>
        </div>
      )}
    </section>
  );
}
