// Files that staff send as they are, and what is wrong with one.

import { type Answer, Disconnected, Refusal, retryAfter } from "./http";

/** Something wrong with a file, and where: in which line from 1, or at which JSON Pointer. */
export interface Fault {
  detail: string;
  pointer?: string;
  line?: number;
}

/** A refusal with what is wrong, one by one; mostly nothing of the file. */
export class Faulty extends Refusal {
  readonly faults: Fault[];

  constructor(refusal: ConstructorParameters<typeof Refusal>, faults: Fault[]) {
    super(...refusal);
    this.faults = faults;
  }
}

/** The largest file that is taken, in bytes. */
export const largest = 32 << 20;

const patience = 60_000;

export async function send<T>(method: string, path: string, body: string | Blob, type: string, headers: Record<string, string>): Promise<Answer<T>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      body,
      headers: { Accept: "application/json", "Content-Type": type, ...headers },
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(patience),
    });
    text = await response.text();
  } catch (cause) {
    throw new Disconnected("no answer", { cause });
  }
  const told = documentOf(text);
  if (!response.ok) {
    const { type = "", detail = "", reference = "", errors = [] } = (told ?? {}) as { type?: string; detail?: string; reference?: string; errors?: Fault[] };
    throw new Faulty([response.status, type.replace("urn:ropeline:problem:", ""), detail, retryAfter(response.headers), reference], errors);
  }
  if (told === undefined) throw new Disconnected("not an answer of ours");
  return { body: told as T, status: response.status, headers: response.headers };
}

/** undefined: a proxy in between answered with a page of its own. */
function documentOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
