// What this browser remembers about its place between visits. The place itself
// is in a cookie that scripts cannot read; this only decides what a reload
// shows. All of it may be missing: storage can be switched off.

export interface Memory {
  /** "in": there was a place; "left": the fan gave it up and must ask to join again. */
  was?: "in" | "left";
  /** Where the place stood when first seen in this epoch. */
  epoch?: string;
  start?: number;
  /** Of a join that was not answered yet: the same one brings the same place. */
  attempt?: string;
}

const key = (sale: string) => `ropeline.place.${sale}`;

export function recall(sale: string): Memory {
  try {
    return JSON.parse(localStorage.getItem(key(sale)) ?? "{}") as Memory;
  } catch {
    return {};
  }
}

/** Says whether it will be remembered. If not, a reload starts the progress anew; the place is not touched. */
export function remember(sale: string, memory: Memory): boolean {
  try {
    localStorage.setItem(key(sale), JSON.stringify(memory));
    return true;
  } catch {
    return false;
  }
}
