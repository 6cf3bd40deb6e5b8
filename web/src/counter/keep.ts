// What this tab holds, and a sale whose answer it waits for, outlive a reload.

import type { Open } from "./insist";

export interface Kept {
  performance?: string;
  hold?: string | undefined;
  open?: Open | undefined;
}

const name = "ropeline_counter";

export function keep(what: Kept): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(what));
  } catch {
    // A browser that keeps nothing: a reload begins anew.
  }
}

export function kept(): Kept {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "{}") as Kept;
  } catch {
    return {};
  }
}
