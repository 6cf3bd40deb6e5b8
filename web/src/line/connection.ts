// Keeps a page told about its place: a WebSocket while there is one, polling
// while there is none, and always with jitter, because when an edge goes down
// every page in the line wakes up in the same second.
//
// The hard idea: a dead network closes nothing, so silence alone proves
// nothing either (a place far behind may not change for a while). After QUIET
// without a frame the page asks once by HTTP; only if no answer comes, or one
// that the socket should have told first, is the socket given up.

import { CloseOverload, FirstFinalClose, LastFinalClose, type Status } from "../api/documents";
import { Refusal } from "../api/http";

/** connecting → live ⇄ polling ⇄ lost; over is final. */
export type Link = "connecting" | "live" | "polling" | "lost" | "over";

/** The part of WebSocket that is used here; tests bring their own. */
export interface Socket {
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  close(code?: number): void;
}

export interface Parts {
  open: () => Socket;
  poll: () => Promise<{ status: Status; again: number | undefined }>;
  onStatus: (status: Status) => void;
  onLink: (link: Link) => void;
  /** The server refuses this place for good: unknown sale, unknown or forged place. */
  onRefused: (refusal: Refusal) => void;
  /** 0 ≤ random < 1 */
  random: () => number;
}

export const OPEN_PATIENCE = 8_000; // to the first frame
export const QUIET = 45_000; // more than two server pings (20 s each), which a page cannot see
export const BACKOFF = { first: 1_000, most: 30_000 };
export const POLL = { usual: 5_000, least: 1_000, most: 60_000 };
export const OVERLOAD_REST = 60_000; // no new socket for so long after "too many sockets"

const final: Status["state"][] = ["done", "left", "expired"];

export class Connection {
  readonly #parts: Parts;
  #link: Link = "connecting";
  #socket: Socket | undefined;
  #last: Status | undefined;
  #failures = 0; // since the last status, by either way
  #attempts = 0; // sockets that came to nothing, in a row
  #polling = false;
  // One timer each: for the socket (open it, give it up, or check on it) and for the next poll.
  #socketTimer: ReturnType<typeof setTimeout> | undefined;
  #pollTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#openSocket();
  }

  get link(): Link {
    return this.#link;
  }

  /** Ends it for good. */
  close(): void {
    this.#say("over");
    clearTimeout(this.#socketTimer);
    this.#unplanPoll();
    this.#dropSocket();
  }

  /** The network is back or the page is looked at again: do not wait for a timer. */
  wake(): void {
    if (this.#over) return;
    void this.#ask();
    if (!this.#socket) this.#openSocket();
  }

  #openSocket(): void {
    clearTimeout(this.#socketTimer);
    const socket = this.#parts.open();
    this.#socket = socket;
    socket.onmessage = (event) => {
      let status: Status;
      try {
        status = JSON.parse(String(event.data)) as Status;
      } catch {
        return; // not ours; the silence check finds a socket that says nothing else
      }
      this.#attempts = 0;
      this.#unplanPoll();
      this.#watch();
      this.#deliver(status, "live");
    };
    socket.onclose = (event) => this.#closed(event.code);
    this.#socketTimer = setTimeout(() => this.#closed(0), OPEN_PATIENCE);
  }

  /** Asks by HTTP when the socket has been silent for QUIET. */
  #watch(): void {
    clearTimeout(this.#socketTimer);
    this.#socketTimer = setTimeout(async () => {
      const [socket, before] = [this.#socket, this.#last];
      const answered = await this.#ask();
      if (!socket || this.#socket !== socket || this.#over) return;
      if (answered && same(before, this.#last)) this.#watch();
      else this.#closed(0);
    }, QUIET);
  }

  #closed(code: number): void {
    if (this.#over) return;
    this.#dropSocket();
    clearTimeout(this.#socketTimer);
    if (code >= FirstFinalClose && code <= LastFinalClose) return this.close();
    this.#attempts++;
    const rest = code === CloseOverload ? OVERLOAD_REST : this.#backoff(this.#attempts);
    this.#socketTimer = setTimeout(() => this.#openSocket(), this.#jitter(rest));
    // The first loss is most often an edge that restarts: a new socket follows in
    // a second. Only from the second on, or when told so, is polling worth its cost,
    // and a poll that is planned already keeps its time: the server may have set it.
    if (this.#attempts > 1 || code === CloseOverload) this.#pollTimer ?? this.#pollIn(0);
    else this.#say(this.#link === "live" ? "connecting" : this.#link);
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #pollIn(milliseconds: number): void {
    this.#unplanPoll();
    this.#pollTimer = setTimeout(() => void this.#ask(), milliseconds);
  }

  #unplanPoll(): void {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = undefined;
  }

  /** One poll; true when it brought a status. Without a live socket the next one follows. */
  async #ask(): Promise<boolean> {
    if (this.#polling || this.#over) return false;
    this.#polling = true;
    this.#unplanPoll();
    try {
      const { status, again } = await this.#parts.poll();
      if (this.#over) return false;
      this.#deliver(status, this.#link === "live" && this.#socket ? "live" : "polling");
      if (this.#link === "polling") this.#pollIn(this.#notBefore(again ?? POLL.usual / 1000));
      return true;
    } catch (cause) {
      if (!this.#over) this.#askFailed(cause);
      return false;
    } finally {
      this.#polling = false;
    }
  }

  get #over(): boolean {
    return this.#link === "over";
  }

  #askFailed(cause: unknown): void {
    const refusal = cause instanceof Refusal ? cause : undefined;
    if (refusal && [401, 403, 404, 410].includes(refusal.status)) {
      this.close();
      return this.#parts.onRefused(refusal);
    }
    this.#failures++;
    if (this.#socket && this.#link === "live") return; // #watch decides
    // 429 is an answer too: the line is there, we are only too eager.
    this.#say(refusal?.status === 429 ? "polling" : "lost");
    const advice = refusal?.retryAfter;
    this.#pollIn(advice === undefined ? this.#jitter(this.#backoff(this.#failures)) : this.#notBefore(advice));
  }

  #deliver(status: Status, link: Link): void {
    this.#failures = 0;
    this.#last = status;
    this.#say(link);
    this.#parts.onStatus(status);
    if (final.includes(status.state)) this.close();
  }

  #say(link: Link): void {
    if (this.#link === link || this.#link === "over") return;
    this.#link = link;
    this.#parts.onLink(link);
  }

  #backoff(attempt: number): number {
    return Math.min(BACKOFF.most, BACKOFF.first * 2 ** (attempt - 1));
  }

  /** Spreads over half to one and a half times the span. */
  #jitter(milliseconds: number): number {
    return milliseconds * (0.5 + this.#parts.random());
  }

  /** The server's advice in seconds as milliseconds: never earlier, up to a quarter later. */
  #notBefore(seconds: number): number {
    return Math.min(POLL.most, Math.max(POLL.least, seconds * 1000)) * (1 + this.#parts.random() / 4);
  }
}

function same(a: Status | undefined, b: Status | undefined): boolean {
  return a?.state === b?.state && a?.position === b?.position && a?.sale.paused === b?.sale.paused && a?.sale.phase === b?.sale.phase;
}
