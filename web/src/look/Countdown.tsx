import { useEffect, useState } from "preact/hooks";
import type { LineClock } from "../line/clock";

/** Redraws what depends on the time, each second, and nothing else. */
export function Countdown(props: { clock: LineClock; to: string; children: (milliseconds: number) => preact.ComponentChildren }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return <>{props.children(sure(props.clock.until(props.to)))}</>;
}

/** Whole seconds, in ms: the page's clock is late by what an answer took, and nobody is promised that part of a second. */
export const sure = (milliseconds: number) => Math.floor(milliseconds / 1000) * 1000;
