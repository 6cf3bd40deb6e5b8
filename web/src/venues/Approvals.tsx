import { useState } from "preact/hooks";
import type { Approval } from "../api/venues";
import { venues as words } from "../messages/en";
import type { Venues } from "./model";
import { More } from "./More";

/** The events that are to play in the house, and what its manager says. */
export function Approvals({ venues }: { venues: Venues }) {
  const { approvals } = venues;
  if (!approvals) return null;
  return (
    <section class="card approvals" aria-labelledby="approvals">
      <h2 id="approvals">{words.approvals.heading}</h2>
      <p class="note">{approvals.list.length === 0 ? words.approvals.none : words.approvals.lead}</p>
      <ul>
        {approvals.list.map((each) => (
          <Asked key={`${each.event}-${each.version}-${each.at ?? ""}`} venues={venues} of={each} />
        ))}
      </ul>
      <More next={approvals.next} busy={venues.busy} go={() => void venues.moreApprovals()} />
    </section>
  );
}

function Asked({ venues, of }: { venues: Venues; of: Approval }) {
  const [reason, setReason] = useState("");
  const [wrong, setWrong] = useState("");
  const say = (approved: boolean) => {
    setWrong(reason.trim() === "" ? words.approvals.why : "");
    if (reason.trim() !== "") void venues.approve(of, approved, reason.trim());
  };
  const look = async () => {
    await venues.look(of.version);
    document.getElementById("map")?.scrollIntoView({ block: "start" });
  };
  const what = of.approved ? words.approvals.yes : words.approvals.no;
  const { approve, refuse } = words.approvals;
  return (
    <li>
      <p>
        <b>{of.title}</b> {words.approvals.asks(of.version)}
      </p>
      <p class={of.approved === undefined ? "wrong" : "note"}>{of.approved === undefined ? words.approvals.open : words.approvals.said(what, of.reason ?? "", of.at ?? "")}</p>
      <div class="line">
        <button type="button" onClick={() => void look()} disabled={venues.busy}>
          {words.approvals.look(of.version)}
        </button>
        <label>
          {words.approvals.reason}
          <input maxLength={200} autocomplete="off" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        <button type="button" class="primary" aria-label={words.approvals.of(approve, of.title)} onClick={() => say(true)} disabled={venues.busy}>
          {approve}
        </button>
        <button type="button" aria-label={words.approvals.of(refuse, of.title)} onClick={() => say(false)} disabled={venues.busy}>
          {refuse}
        </button>
      </div>
      <p class="wrong" role="alert">
        {wrong}
      </p>
    </li>
  );
}
