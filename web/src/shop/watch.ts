// Keeps the map told what becomes of its units: a WebSocket while there is one, with
// word to its owner, who asks by HTTP, while there is none.
//
// Frames are numbered. One that comes out of turn means that another was lost, and the
// next socket begins anew; otherwise it goes on where the last one ended.

import { CloseOverload, FirstFinalClose, LastFinalClose, type SeatsFrame } from "../api/documents";
import type { Socket } from "../line/connection";
import { decode, type Run } from "./seats";

export interface Parts {
  open: (query: string) => Socket;
  /** All units (from unit 0 on), or runs of those that have changed. */
  onFrame: (frame: SeatsFrame, runs: Run[], all: boolean) => void;
  /** There is a socket that tells, or none. */
  onLive: (live: boolean) => void;
  /** 0 ≤ random < 1 */
  random: () => number;
}

export const QUIET = 25_000; // it says something every ten seconds
export const BACKOFF = { first: 1_000, most: 30_000 };
export const OVERLOAD_REST = 60_000;

export class Watch {
  readonly #parts: Parts;
  #socket: Socket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #feed = "";
  #seq = 0;
  #failures = 0;
  #live = false;
  #over = false;
  #heard = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#open();
  }

  get live(): boolean {
    return this.#live;
  }

  /** Ends it for good. */
  close(): void {
    this.#over = true;
    this.#drop();
  }

  /** The units are known from elsewhere: frames that say what has changed do not fit any more. */
  distrust(): void {
    this.#feed = "";
  }

  /** The page is looked at again, or the network is back: a socket that slept is not believed. */
  wake(now = Date.now()): void {
    if (this.#over || (this.#live && now - this.#heard < QUIET / 2)) return;
    this.#drop();
    this.#open();
  }

  #open(): void {
    clearTimeout(this.#timer);
    const socket = this.#parts.open(this.#feed === "" ? "" : `?feed=${encodeURIComponent(this.#feed)}&seq=${this.#seq}`);
    this.#socket = socket;
    socket.onmessage = (event) => this.#hear(String(event.data));
    socket.onclose = (event) => this.#closed(event.code);
    this.#listen();
  }

  #listen(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#closed(0), QUIET);
  }

  #hear(text: string): void {
    let frame: SeatsFrame;
    let runs: Run[];
    try {
      frame = JSON.parse(text) as SeatsFrame;
      runs = decode(frame.runs ?? "");
    } catch {
      return this.#forget();
    }
    const all = frame.feed !== undefined;
    if (!all && (this.#feed === "" || frame.seq !== this.#seq + (frame.runs === undefined ? 0 : 1))) return this.#forget();
    if (frame.feed !== undefined) this.#feed = frame.feed;
    this.#seq = frame.seq;
    this.#failures = 0;
    this.#heard = Date.now();
    this.#listen();
    this.#say(true);
    this.#parts.onFrame(frame, runs, all);
  }

  /** What it has is not to be trusted: the next socket tells all. */
  #forget(): void {
    this.#feed = "";
    this.#closed(0);
  }

  #closed(code: number): void {
    if (this.#over) return;
    this.#drop();
    if (code >= FirstFinalClose && code <= LastFinalClose) return;
    const rest = code === CloseOverload ? OVERLOAD_REST : Math.min(BACKOFF.most, BACKOFF.first * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#open(), rest * (0.5 + this.#parts.random()));
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
    this.#say(false);
  }

  #say(live: boolean): void {
    if (this.#live === live) return;
    this.#live = live;
    if (!this.#over) this.#parts.onLive(live);
  }
}
