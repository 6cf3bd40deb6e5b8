import { useEffect, useRef, useState } from "preact/hooks";
import * as staff from "../api/staff";
import type { Member } from "../api/team";
import { Dialog } from "../look/Dialog";
import { team as words } from "../messages/en";
import { Choices } from "./Choices";
import type { Team } from "./model";

const text = words.members;

const rolesAt = (team: Team) => (team.at === staff.installation ? ["admin", "sre"] : ["organizer", "venue", "boxoffice", "door", "supervisor"]);

export function Members({ team }: { team: Team }) {
  const [open, setOpen] = useState("");
  const [asked, setAsked] = useState<Member>();
  const heading = useRef<HTMLHeadingElement>(null);
  const done = () => {
    setOpen("");
    heading.current?.focus(); // what was pressed is gone
  };
  const { list, next } = team.members!;
  return (
    <section class="card part" aria-labelledby="members">
      <h2 id="members" ref={heading} tabIndex={-1}>
        {text.heading}
      </h2>
      {list.length === 0 && <p class="note">{text.none}</p>}
      <ul class="lines">
        {list.map((each) => (
          <li key={each.id}>
            <div>
              <b>{each.name || each.email}</b>
              {each.name && <p class="note">{each.email}</p>}
              <p>{each.roles.map((role) => words.roles[role] ?? role).join(", ")}</p>
              <p class="note">{each.version === undefined ? text.invited(each.until ?? "") : text.since(each.since)}</p>
              {each.version !== undefined && !each.second_factor && <p class="note">{text.noSecond}</p>}
            </div>
            <div class="acts">
              {each.version !== undefined && (
                <button type="button" disabled={team.busy} aria-expanded={open === each.id} aria-label={text.changeOf(each.email)} onClick={() => setOpen(open === each.id ? "" : each.id)}>
                  {text.change}
                </button>
              )}
              <button type="button" disabled={team.busy} aria-label={each.version === undefined ? text.takeBackOf(each.email) : text.removeOf(each.email)} onClick={() => setAsked(each)}>
                {each.version === undefined ? text.takeBack : text.remove}
              </button>
            </div>
            {open === each.id && <Roles team={team} member={each} done={done} />}
          </li>
        ))}
      </ul>
      {next !== "" && (
        <button type="button" disabled={team.busy} onClick={() => void team.moreMembers()}>
          {words.more}
        </button>
      )}
      <Invite team={team} />
      {asked && (
        <Dialog
          title={asked.version === undefined ? text.askTakeBack(asked.email) : text.askRemove(asked.email)}
          no={text.no}
          yes={asked.version === undefined ? text.takeBack : text.remove}
          onNo={() => setAsked(undefined)}
          onYes={() => {
            setAsked(undefined);
            void team.remove(asked).then(done);
          }}
        >
          <p>{asked.version === undefined ? text.leadTakeBack : text.leadRemove}</p>
        </Dialog>
      )}
    </section>
  );
}

function Roles({ team, member, done }: { team: Team; member: Member; done: () => void }) {
  const [roles, setRoles] = useState(member.roles);
  const submit = (event: Event) => {
    event.preventDefault();
    void team.setRoles(member, roles).then(() => team.problem === "" && done());
  };
  return (
    <form class="roles" onSubmit={submit}>
      <Choices legend={text.rolesOf(member.email)} all={rolesAt(team)} words={words.roles} has={roles} set={setRoles} />
      <button type="submit" disabled={team.busy || roles.length === 0}>
        {text.save}
      </button>
    </form>
  );
}

function Invite({ team }: { team: Team }) {
  const [email, setEmail] = useState("");
  const [roles, setRoles] = useState<string[]>([]);
  const [wrong, setWrong] = useState("");
  useEffect(() => setWrong(""), [email, roles]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (roles.length === 0) return setWrong(words.invite.noRole);
    void team.invite(email.trim(), roles).then((sent) => {
      if (!sent) return;
      setEmail("");
      setRoles([]);
    });
  };
  return (
    <form onSubmit={submit}>
      <h3>{words.invite.heading}</h3>
      <p class="note">{words.invite.lead}</p>
      <label>
        {words.invite.email}
        <input type="email" name="email" autocomplete="off" required value={email} onInput={(event) => setEmail(event.currentTarget.value)} />
      </label>
      <Choices legend={words.invite.roles} all={rolesAt(team)} words={words.roles} has={roles} set={setRoles} />
      <p class="wrong" role="alert">
        {wrong}
      </p>
      <button type="submit" class="primary" disabled={team.busy}>
        {words.invite.submit}
      </button>
    </form>
  );
}
