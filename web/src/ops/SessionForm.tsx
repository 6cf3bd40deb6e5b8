import { useState } from "preact/hooks";
import * as api from "../api/ops";
import { ops as words } from "../messages/en";
import { Said, useRequest } from "./request";

/** One session: ended for everybody who has its token, or its fan let in once more. */
export function SessionForm({ sale, onChange }: { sale: string; onChange: () => void }) {
  const w = words.session;
  const [id, setID] = useState("");
  const [force, setForce] = useState(false);
  const [reason, setReason] = useState("");
  const { said, wrong, run } = useRequest();
  const act = (request: (reason: string) => Promise<string | void>, done: string) => {
    if (id.trim() === "") return wrong(w.missing, "session-id");
    if (reason.trim() === "") return wrong(words.reasonMissing, "session-reason");
    void run(async () => {
      const came = await request(reason.trim());
      setReason("");
      setForce(false);
      onChange();
      return came;
    }, done);
  };
  const revoke = (event: Event) => {
    event.preventDefault();
    act(async (why) => ((await api.revoke(sale, id.trim(), why, force)).acknowledged ? w.revoked : w.unheard), w.revoked);
  };
  return (
    <form onSubmit={revoke} noValidate>
      <h3>{w.heading}</h3>
      <label>
        {w.id}
        <input name="session-id" maxLength={64} autocapitalize="off" spellcheck={false} value={id} onInput={(event) => setID(event.currentTarget.value)} />
      </label>
      <p class="note">{w.hint}</p>
      <label>
        {words.limits.reason}
        <input name="session-reason" maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <label class="check">
        <input type="checkbox" name="session-force" checked={force} onChange={(event) => setForce(event.currentTarget.checked)} />
        {w.force}
      </label>
      <Said said={said} />
      <div class="choices">
        <button type="submit">{w.revoke}</button>
        <button type="button" onClick={() => act((why) => api.reentry(sale, id.trim(), why), w.given)}>
          {w.reentry}
        </button>
      </div>
    </form>
  );
}
