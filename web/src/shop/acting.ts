// Whoever does one thing after the other and says what became of it: the shop, an
// exchange, an offer, the counter. Components draw it.

export abstract class Acting {
  busy = false;
  problem = "";
  notice = "";
  readonly #redraw: () => void;

  constructor(redraw: () => void) {
    this.#redraw = redraw;
  }

  /** Every change of what is shown ends with this. */
  protected changed(): void {
    this.#redraw();
  }

  /** While something is being done, nothing else is. */
  protected async act(action: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = this.notice = "";
    this.changed();
    try {
      await action();
    } catch (cause) {
      await this.explain(cause);
    }
    this.busy = false;
    this.changed();
  }

  /** Puts into words what went wrong, and makes what is shown true again. */
  protected abstract explain(cause: unknown): void | Promise<void>;
}
