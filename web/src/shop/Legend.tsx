import { shop as words } from "../messages/en";
import type { SeatMark, SeatState } from "./seats";
import { signs } from "./signs";

/** The marks of canvas.ts once more, for the key and the list. */
export function Mark(props: { state: SeatState; tier: number }) {
  const mine = props.state === "mine" || props.state === "picked";
  return (
    <svg class={`mark ${props.state} tier-${props.tier % 6}`} viewBox="-10 -10 20 20" aria-hidden="true">
      {props.state === "free" && <circle r="7.5" />}
      {props.state === "held" && <circle r="6.5" />}
      {props.state === "sold" && <path d="M-5-5 5 5M-5 5 5-5" />}
      {props.state === "closed" && <path d="M-5 0H5" />}
      {mine && <rect x="-8" y="-8" width="16" height="16" />}
      {mine && <path d="M-4 .5-1 4 4.5-3.5" />}
    </svg>
  );
}

const states: SeatState[] = ["free", "held", "sold", "closed", "picked", "mine"];

/** What the marks mean, and the signs that are on this map. */
export function Legend({ marks }: { marks: SeatMark[] }) {
  return (
    <ul class="legend" aria-label={words.legend.heading}>
      {states.map((state) => (
        <li key={state}>
          <Mark state={state} tier={0} />
          {words.legend[state]}
        </li>
      ))}
      <Signed marks={marks} />
    </ul>
  );
}

/** The signs alone, where no seat is anybody's. */
export function Signs({ marks }: { marks: SeatMark[] }) {
  if (marks.length === 0) return null;
  return (
    <ul class="legend" aria-label={words.legend.heading}>
      <Signed marks={marks} />
    </ul>
  );
}

function Signed({ marks }: { marks: SeatMark[] }) {
  return (
    <>
      {marks.map((mark) => (
        <li key={mark}>
          <svg class="mark special" viewBox="-10 -10 20 20" aria-hidden="true">
            <path d={signs[mark]} fill-rule="evenodd" />
          </svg>
          {words.legend[mark]}
        </li>
      ))}
    </>
  );
}
