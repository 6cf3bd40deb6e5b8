import { useMemo } from "preact/hooks";
import type { Sample } from "../api/documents";
import { ops as words } from "../messages/en";
import { clock as span } from "../messages/format";
import { Chart, type Trace } from "./Chart";
import { counter, left, perMinute } from "./history";

/** How the sale stood in the last quarter of an hour. */
export function Charts({ samples }: { samples: Sample[] }) {
  const { times, charts } = useMemo(() => draw(samples), [samples]);
  if (samples.length < 2) return <p class="note charts-none">{words.charts.none}</p>;
  return (
    <div class="charts">
      {charts.map((chart) => (
        <Chart key={chart.title} times={times} {...chart} />
      ))}
    </div>
  );
}

interface Picture {
  title: string;
  traces: Trace[];
  write?: (value: number) => string;
}

function draw(samples: Sample[]): { times: number[]; charts: Picture[] } {
  const w = words.charts;
  const known = (value: (sample: Sample) => number) => samples.map((sample) => (value(sample) < 0 ? null : value(sample))); // -1 is not known
  const of = (key: Exclude<keyof Sample, "core">) => known((sample) => sample[key]);
  const charts: Picture[] = [
    { title: w.waiting, traces: [{ label: w.waiting, color: "--velvet-text", values: of("waiting"), filled: true }] },
    {
      title: w.inside,
      traces: [
        { label: words.number.active, color: "--velvet-text", values: of("active"), filled: true },
        { label: words.number.offered, color: "--brass-text", values: of("offered") },
        { label: w.cap, color: "--ink-soft", values: of("cap"), dashed: true },
      ],
    },
    {
      title: w.flow,
      traces: [
        { label: w.admitted, color: "--good", values: perMinute(samples, counter("offers")), filled: true },
        { label: w.left, color: "--velvet-text", values: perMinute(samples, left) },
        { label: w.rate, color: "--ink-soft", values: of("rate"), dashed: true },
      ],
    },
    { title: w.noShows, traces: [{ label: w.noShows, color: "--bad", values: perMinute(samples, counter("missed")), filled: true }] },
    {
      title: w.wait,
      write: (seconds) => span(1000 * seconds),
      traces: [{ label: w.waitOfLast, color: "--brass-text", values: of("wait"), filled: true }],
    },
    {
      title: w.stock,
      traces: [
        { label: w.free, color: "--good", values: of("free"), filled: true },
        { label: w.held, color: "--brass-text", values: of("held") },
      ],
    },
    {
      title: w.core,
      write: w.milliseconds,
      traces: [
        { label: w.p95, color: "--bad", values: known((sample) => sample.core.p95), filled: true },
        { label: w.p50, color: "--brass-text", values: known((sample) => sample.core.p50) },
      ],
    },
  ];
  return { times: of("at") as number[], charts };
}
