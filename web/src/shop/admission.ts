// Keeps the admission token fresh: renewed at half its life, and at once when
// the page is looked at again, because timers sleep with the phone. The token
// itself is a cookie that scripts cannot read.

import type { Admission } from "../api/documents";
import { Refusal } from "../api/http";

export type Closed = "never" | "over" | "missing";

export interface Parts {
  renew: () => Promise<Admission>;
  onAdmitted: (admission: Admission) => void;
  onClosed: (why: Closed) => void;
  now: () => number;
}

/** After an answer that told nothing: again soon, the token is still running. */
export const AGAIN = 2_000;
const shortest = 1_000;

export class AdmissionKeeper {
  readonly #parts: Parts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = 0;
  #renewing = false;
  #admitted = false;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    void this.renew();
  }

  /** Renews now; the first time it also finds out whether this browser is admitted at all. */
  async renew(): Promise<void> {
    if (this.#renewing || this.#closed) return;
    this.#renewing = true;
    clearTimeout(this.#timer);
    let wait = AGAIN;
    try {
      const sent = this.#parts.now();
      const admission = await this.#parts.renew();
      if (this.#closed) return;
      this.#admitted = true;
      // Half of what is left at the time of asking: the answer's own delay counts against us.
      wait = Math.max(shortest, (Date.parse(admission.expires_at) - sent) / 2);
      this.#parts.onAdmitted(admission);
    } catch (cause) {
      if (cause instanceof Refusal && [401, 403, 404, 409, 410].includes(cause.status)) return this.#refused(cause);
      if (cause instanceof Refusal && cause.retryAfter !== undefined) wait = Math.max(wait, cause.retryAfter * 1000);
    } finally {
      this.#renewing = false;
    }
    if (this.#closed) return;
    this.#dueAt = this.#parts.now() + wait;
    this.#timer = setTimeout(() => void this.renew(), wait);
  }

  /** From a clock that runs on in a hidden tab, where this page's own timers come once a minute. */
  beat(): void {
    if (this.#parts.now() >= this.#dueAt) void this.renew();
  }

  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #refused(refusal: Refusal): void {
    if (this.#closed) return;
    this.stop();
    const missing = refusal.code === "sale-unknown";
    this.#parts.onClosed(missing ? "missing" : this.#admitted || refusal.code === "session-over" ? "over" : "never");
  }
}
