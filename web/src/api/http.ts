// One request to our own API. A refusal becomes a Refusal with the stable code
// of its problem document; anything that never got an answer becomes a
// Disconnected. Nothing else is thrown.

/** The server answered, and said no. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  /** Advice in seconds, undefined without any. */
  readonly retryAfter: number | undefined;
  /** By which the organizer finds what this is about; mostly empty. */
  readonly reference: string;

  constructor(status: number, code: string, detail: string, retryAfter: number | undefined, reference = "") {
    super(detail);
    this.reference = reference;
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** There was no answer: the network, or a server that is away. */
export class Disconnected extends Error {}

/** A text that nobody else can guess, for asking the same again. */
export const nonce = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

export interface Answer<T> {
  /** undefined for 204 and 304 */
  body: T;
  status: number;
  headers: Headers;
}

export interface Options {
  body?: unknown;
  headers?: Record<string, string>;
  /** Statuses other than 2xx that are an answer and not a refusal. */
  accept?: number[];
  /** How long an answer is waited for, ms. */
  patience?: number;
}

const problemType = "urn:ropeline:problem:";
const patience = 15_000;

export async function call<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const init: RequestInit = {
    method,
    headers: { Accept: "application/json", ...options.headers },
    credentials: "same-origin",
    cache: "no-store",
    signal: AbortSignal.timeout(options.patience ?? patience),
  };
  if (options.body instanceof Blob) {
    init.body = options.body; // a file, as it is
  } else if (options.body !== undefined) {
    init.body = JSON.stringify(options.body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (cause) {
    throw new Disconnected("no answer", { cause });
  }
  if (!response.ok && !options.accept?.includes(response.status)) throw refusal(response, text);
  try {
    return { body: (text === "" ? undefined : JSON.parse(text)) as T, status: response.status, headers: response.headers };
  } catch (cause) {
    throw new Disconnected("not an answer of ours", { cause });
  }
}

function refusal(response: Response, text: string): Refusal {
  let code = "";
  let detail = "";
  let reference = "";
  try {
    const problem = JSON.parse(text) as { type?: string; detail?: string; reference?: string };
    code = (problem.type ?? "").replace(problemType, "");
    detail = problem.detail ?? "";
    reference = problem.reference ?? "";
  } catch {
    // A proxy in between answered with a page of its own; the status says enough.
  }
  return new Refusal(response.status, code, detail, retryAfter(response.headers), reference);
}

/** The Retry-After header in seconds. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("Retry-After");
  if (value === null || value === "") return undefined;
  const seconds = Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
