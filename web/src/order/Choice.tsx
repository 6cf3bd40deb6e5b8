import type { ReceiptLine } from "../api/documents";
import { order } from "../messages/en";

const words = order.change;

interface Props {
  lines: ReceiptLine[];
  chosen: ReadonlySet<string>;
  choose: (tickets: ReadonlySet<string>) => void;
  busy?: boolean;
  /** What of some tickets stands beside them. */
  said: (lines: ReceiptLine[]) => string;
}

/** Which tickets something is done with. */
export function Choice({ lines, chosen, choose, busy = false, said }: Props) {
  const all = lines.every((line) => chosen.has(line.ticket));
  const toggle = (ticket: string) => {
    const next = new Set(chosen);
    if (!next.delete(ticket)) next.add(ticket);
    choose(next);
  };
  return (
    <fieldset disabled={busy}>
      <legend>{words.choose}</legend>
      {lines.length > 1 && (
        <label class="all">
          <input type="checkbox" checked={all} onChange={() => choose(new Set(all ? [] : lines.map((line) => line.ticket)))} />
          <span>{words.all}</span>
          <span class="note">{said(lines)}</span>
        </label>
      )}
      {lines.map((line) => (
        <label key={line.ticket}>
          <input type="checkbox" checked={chosen.has(line.ticket)} onChange={() => toggle(line.ticket)} />
          <span>{line.label || order.receipt.place}</span>
          <span class="note">{said([line])}</span>
        </label>
      ))}
    </fieldset>
  );
}

export const total = (lines: ReceiptLine[], of: (line: ReceiptLine) => number) => lines.reduce((all, line) => all + of(line), 0);
