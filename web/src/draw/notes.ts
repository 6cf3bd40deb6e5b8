// What this browser saw of a draw, and when: nobody but its owner can change it
// afterwards. Kept for each sale.

export interface Note {
  value: string;
  at: string;
}

export interface Notes {
  commitment?: Note;
  root?: Note;
}

const key = (sale: string) => `ropeline.draw.${sale}`;

export function notes(sale: string): Notes {
  try {
    return JSON.parse(localStorage.getItem(key(sale)) ?? "{}") as Notes;
  } catch {
    return {}; // private mode, or somebody else's text
  }
}

/** Notes what is seen for the first time, and only as long as it says something: before the seed is known. */
export function note(sale: string, seen: { commitment: string; root?: string; seed?: string }, now: Date): Notes {
  const kept = notes(sale);
  if (seen.seed) return kept;
  const at = now.toISOString();
  if (!seen.root) kept.commitment = kept.commitment?.value === seen.commitment ? kept.commitment : { value: seen.commitment, at };
  else kept.root ??= { value: seen.root, at };
  try {
    localStorage.setItem(key(sale), JSON.stringify(kept));
  } catch {
    // then the fan notes it on paper
  }
  return kept;
}
