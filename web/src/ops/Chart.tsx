import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { count, timeOfDay } from "../messages/format";

/** A line of a chart. Colors are names of the house's custom properties. */
export interface Trace {
  label: string;
  color: string;
  values: (number | null)[];
  /** Painted below the line. */
  filled?: boolean;
  /** A limit: dashed. */
  dashed?: boolean;
}

interface Props {
  title: string;
  /** Unix seconds. */
  times: number[];
  traces: Trace[];
  /** How values are written, on the axis and in words. */
  write?: (value: number) => string;
}

const height = 132;
/** Seconds between two times of day: at least one is to be seen in any range that is shown. */
const seconds = [1, 5, 10, 15, 30, 60, 120, 300];
/** 1, 2, 5, 10 … */
const steps = [...Array(8).keys()].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));

/** All charts of the page show the same moment under the pointer. */
const cursor: uPlot.Cursor = { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false }, sync: { key: "ops" } };

/**
 * One chart. It is a picture for those who see it; the newest values stand under
 * it as text, for everybody.
 */
export function Chart({ title, times, traces, write = count }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const shape = traces.map((trace) => trace.label).join("|");

  useEffect(() => {
    const element = frame.current!;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element, traces, write), table(times, traces), element);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      dark.removeEventListener("change", draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => plot.current?.setData(table(times, traces)), [times, traces]);

  return (
    <figure class="chart">
      <figcaption>
        <h4>{title}</h4>
        <ul>
          {traces.map((trace) => (
            <li key={trace.label}>
              <i style={{ background: `var(${trace.color})` }} class={trace.dashed ? "dashed" : ""} />
              {trace.label} <b>{newest(trace.values, write)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="plot" ref={frame} aria-hidden="true" />
    </figure>
  );
}

const table = (times: number[], traces: Trace[]): uPlot.AlignedData => [times, ...traces.map((trace) => trace.values)];

function newest(values: (number | null)[], write: (value: number) => string): string {
  const value = values.at(-1);
  return value == null ? "–" : write(value);
}

function options(element: HTMLElement, traces: Trace[], write: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--ink-soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    padding: [8, 28, 0, 0], // half a time of day to the right
    cursor,
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.08)] } },
    axes: [
      { ...axis, space: 70, incrs: seconds, size: 28, values: (_plot, ticks) => ticks.map((second) => timeOfDay(new Date(1000 * second))) },
      // As wide as its longest label; half a person is no tick.
      { ...axis, size: (_plot, labels) => Math.max(56, 20 + 7 * Math.max(0, ...(labels ?? []).map((label) => label.length))), space: 34, incrs: steps, values: (_plot, ticks) => ticks.map(write) },
    ],
    series: [
      {},
      ...traces.map((trace): uPlot.Series => ({
        label: trace.label,
        stroke: color(trace.color),
        width: trace.dashed ? 1.5 : 2,
        points: { show: false },
        ...(trace.dashed ? { dash: [5, 4] } : {}),
        ...(trace.filled ? { fill: `color-mix(in srgb, ${color(trace.color)} 18%, transparent)` } : {}),
      })),
    ],
  };
}
