// What a sale asks of whoever joins: loaded only where one does.

import type { Status } from "../api/documents";
import { Refusal } from "../api/http";
import { challenge, join } from "../api/line";
import { visitor as words } from "../messages/en";
import { proofOf, type Solution } from "./solve";

/** Joins a sale that has refused to let just anybody join. */
export async function joinAs(sale: string, refused: Refusal): Promise<Status> {
  if (refused.code === "proof-needed") return join(sale, await proof(sale));
  const invited = invitation(sale, location.hash, false);
  if (refused.code !== "invitation-needed" || !invited) throw refused;
  try {
    return await join(sale, invited);
  } catch (cause) {
    if (!(cause instanceof Refusal && cause.code === "attempt-spent")) throw cause;
    return join(sale, invitation(sale, location.hash, true)!); // its place is over: stand in line anew
  }
}

interface Credential {
  proof?: string;
  invitation?: string;
  attempt?: string;
}

/** Solves a new challenge in a worker. */
async function proof(sale: string): Promise<Credential> {
  const told = document.querySelector('[data-scene="joining"] .lead');
  if (told) told.textContent = words.solving;
  const given = await challenge(sale);
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    const solution = await new Promise<Solution>((done, fail) => {
      worker.onmessage = ({ data }: MessageEvent<Solution | undefined>) => (data ? done(data) : fail(new Error("no solution")));
      worker.onerror = () => fail(new Error("no worker"));
      worker.postMessage(given);
    });
    return { proof: proofOf(given, solution) };
  } catch {
    throw new Refusal(422, "no-proof", words.noProof, undefined);
  } finally {
    worker.terminate();
  }
}

/**
 * The invitation that the link brought, kept so that a reload has it, too. The
 * attempt stays the same as long as it may have been answered, so that a lost
 * answer loses nothing.
 */
function invitation(sale: string, fragment: string, anew: boolean): Credential | undefined {
  const key = `ropeline.invitation.${sale}`;
  const brought = new URLSearchParams(fragment.slice(1)).get("invitation");
  let kept: Credential = {};
  try {
    kept = JSON.parse(sessionStorage.getItem(key) ?? "{}") as Credential;
  } catch {
    // then it is taken from the link each time
  }
  const text = brought ?? kept.invitation;
  if (!text) return undefined;
  const same = kept.invitation === text && kept.attempt && !anew;
  const credential = { invitation: text, attempt: same ? kept.attempt! : crypto.randomUUID() };
  try {
    sessionStorage.setItem(key, JSON.stringify(credential));
  } catch {
    // as above
  }
  return credential;
}
