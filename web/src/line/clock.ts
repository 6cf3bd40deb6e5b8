// The line's own clock as this page sees it. Countdowns run by it, because the
// clock of a phone may be minutes off.

/** Beyond this the local clock was set, or the phone slept: believe the newest. */
const jump = 2_000;

export class LineClock {
  #offset: number | undefined;
  readonly #local: () => number;

  constructor(local: () => number = Date.now) {
    this.#local = local;
  }

  /** Hears a time from the server. It was right when sent, so the network only ever makes it look late. */
  hear(now: string): void {
    const offset = Date.parse(now) - this.#local();
    if (Number.isNaN(offset)) return;
    if (this.#offset === undefined || Math.abs(offset - this.#offset) > jump || offset > this.#offset) this.#offset = offset;
  }

  now(): number {
    return this.#local() + (this.#offset ?? 0);
  }

  /** Milliseconds until a moment; negative once it has passed. */
  until(at: string): number {
    return Date.parse(at) - this.now();
  }
}
