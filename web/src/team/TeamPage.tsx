import { useEffect, useState } from "preact/hooks";
import * as staff from "../api/staff";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, team as words } from "../messages/en";
import { Keys } from "./Keys";
import { Members } from "./Members";
import { Team } from "./model";

export function TeamPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [team] = useState(() => new Team(() => redraw((n) => n + 1)));
  useEffect(() => void team.start(signInKey), []);
  if (!isOpen(team)) return <Door of={team} page="team" words={words.signIn} />;
  const named = (each: { id: string; name: string }) => (each.id === staff.installation ? words.installation : each.name);
  return (
    <>
      <Top>
        <button type="button" onClick={() => void team.leave()} disabled={team.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="team" staff={team.staff === "yes"} />
      <main class="team">
        <h1>{words.heading}</h1>
        {team.staff === "unknown" && <p class={team.problem ? "wrong" : "note"}>{team.problem || common.loading}</p>}
        {team.organizations.length > 1 && (
          <label class="which">
            {words.organization}
            <select value={team.at} onChange={(event) => void team.choose(event.currentTarget.value)} disabled={team.busy}>
              {team.organizations.map((each) => (
                <option key={each.id} value={each.id}>
                  {named(each)}
                </option>
              ))}
            </select>
          </label>
        )}
        {team.members && (
          <>
            <p class={team.problem ? "wrong said" : "note said"} role="status">
              {team.problem || team.notice}
            </p>
            <Members key={`members ${team.at}`} team={team} />
            {team.keys && <Keys key={`keys ${team.at}`} team={team} />}
          </>
        )}
      </main>
    </>
  );
}
