import { useEffect, useState } from "preact/hooks";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, desk as words } from "../messages/en";
import { Door, isOpen } from "./Door";
import { LookForm } from "./LookForm";
import { Desk } from "./model";
import { Preview } from "./Preview";
import { Ready } from "./Ready";

export function DeskPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [desk] = useState(() => new Desk(() => redraw((n) => n + 1)));
  useEffect(() => void desk.start(signInKey), []);
  if (!isOpen(desk)) return <Door of={desk} page="desk-page" words={words.signIn} />;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void desk.leave()} disabled={desk.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="desk" staff={desk.staff === "yes"} />
      <main class="desk-page">
        <h1>{words.heading}</h1>
        {desk.staff === "unknown" && <p class={desk.problem ? "wrong" : "note"}>{desk.problem || common.loading}</p>}
        {desk.staff === "yes" && desk.sales.length === 0 && <p>{words.none}</p>}
        {desk.sale !== "" && (
          <>
            <label class="which">
              {words.sale}
              <select value={desk.sale} onChange={(event) => void desk.choose(event.currentTarget.value)} disabled={desk.busy}>
                {desk.sales.map((each) => (
                  <option key={each.sale} value={each.sale}>
                    {each.title}
                  </option>
                ))}
              </select>
            </label>
            <div class="sides">
              <LookForm desk={desk} />
              <Preview page={desk.page} />
            </div>
            <Embed sale={desk.sale} />
            <Ready desk={desk} />
          </>
        )}
      </main>
    </>
  );
}

function Embed({ sale }: { sale: string }) {
  const room = `${location.origin}/sales/${encodeURIComponent(sale)}`;
  const snippet = `<a href="${room}" data-ropeline>${words.buttonText}</a>\n<script src="${location.origin}/embed.js" async></script>`;
  return (
    <section class="card part" aria-labelledby="embed">
      <h2 id="embed">{words.embed}</h2>
      <p class="note">{words.embedHint}</p>
      <pre class="snippet" tabIndex={0}>
        <code>{snippet}</code>
      </pre>
    </section>
  );
}
