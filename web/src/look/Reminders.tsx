import { useEffect, useRef, useState } from "preact/hooks";
import type { Reminder } from "../api/documents";
import { reminder as words } from "../messages/en";
import { useAct } from "./act";

const most = 14;

/** When somebody is reminded, of an order or of all that they buy. seek: they have come for it. */
export function Reminders({ lead, load, save, seek = false }: { lead: string; load: () => Promise<Reminder>; save: (days: number) => Promise<Reminder>; seek?: boolean }) {
  const [now, setNow] = useState<Reminder>();
  const [saved, setSaved] = useState(false);
  const section = useRef<HTMLElement>(null);
  const { busy, problem, act } = useAct(() => undefined, words.lost);
  useEffect(() => {
    load().then(setNow, () => {}); // without it the rest of the page is as good
  }, []);
  useEffect(() => {
    if (seek && now) section.current?.scrollIntoView({ block: "center" });
  }, [now === undefined]);
  if (!now) return null;
  const choose = (days: number) =>
    void act(async () => {
      setSaved(false);
      setNow(await save(days));
      setSaved(true);
    });
  return (
    <section class="reminders" aria-labelledby="reminder" ref={section}>
      <h2 id="reminder">{words.heading}</h2>
      <p class="note">{lead}</p>
      <div class="field">
        <label for="reminder-days">{words.label}</label>
        <select id="reminder-days" value={String(now.days)} disabled={busy} onChange={(event) => choose(Number(event.currentTarget.value))}>
          {Array.from({ length: most + 1 }, (_, days) => (
            <option key={days} value={String(days)}>
              {words.days(days)}
            </option>
          ))}
        </select>
      </div>
      <p class={problem ? "wrong told" : "note told"} role="status">
        {problem || [saved ? words.saved : "", now.at ? words.at(now.at) : ""].filter((text) => text !== "").join(" ")}
      </p>
    </section>
  );
}
