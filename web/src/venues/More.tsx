import { venues as words } from "../messages/en";

/** A list goes on if it does. */
export function More({ next, busy, go }: { next: string; busy: boolean; go: () => void }) {
  if (next === "") return null;
  return (
    <button type="button" onClick={go} disabled={busy}>
      {words.more}
    </button>
  );
}
