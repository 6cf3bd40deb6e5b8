import { nonce } from "./http";

/** The idempotency key of what somebody wants done: the same one until they want something else, or it was answered. */
export class Once {
  #of = "";
  #key = "";

  key(of: string): string {
    if (this.#of !== of || this.#key === "") [this.#of, this.#key] = [of, nonce()];
    return this.#key;
  }

  answered(): void {
    this.#key = "";
  }
}
