// How smoothly a page goes while somebody does something.

import type { CDPSession, Page } from "playwright-core";

export interface Tasks {
  /** Tasks of more than 50 ms, in ms of the processor: what else the machine does is not in them. */
  long: number[];
  /** Between frames, in ms. */
  frames: number[];
}

interface Trace {
  name: string;
  pid: number;
  tid: number;
  tdur?: number; // µs of the processor
  args: { name?: string; data?: { frames?: { frame: string; processId: number }[] } };
}

// A browser traces for one at a time.
let free = Promise.resolve();

/**
 * Watches what the page's main thread does while something goes on, by the browser's own
 * trace: a task of 65 ms takes 160 on a machine where others are at work, and an observer
 * of long tasks in the page would tell that.
 */
export async function tasksDuring(page: Page, during: () => Promise<unknown>): Promise<Tasks> {
  const mine = free.then(() => watch(page, during));
  free = mine.then(() => {}, () => {});
  return mine;
}

async function watch(page: Page, during: () => Promise<unknown>): Promise<Tasks> {
  const browser = await page.context().newCDPSession(page);
  try {
    const traces: Trace[] = [];
    browser.on("Tracing.dataCollected", ({ value }) => traces.push(...(value as unknown as Trace[])));
    await browser.send("Tracing.start", {
      transferMode: "ReportEvents",
      traceConfig: { includedCategories: ["disabled-by-default-devtools.timeline", "__metadata"], excludedCategories: ["*"] },
    });
    await startFrames(page);
    try {
      await during();
    } finally {
      await endTrace(browser);
    }
    return { long: longTasks(traces), frames: await endFrames(page) };
  } finally {
    await browser.detach();
  }
}

async function endTrace(browser: CDPSession): Promise<void> {
  const complete = new Promise((resolve) => browser.once("Tracing.tracingComplete", resolve));
  await browser.send("Tracing.end");
  await complete;
}

/** The long ones of the page that the trace was started for, of its main thread. */
function longTasks(traces: Trace[]): number[] {
  const page = traces.find(({ name }) => name === "TracingStartedInBrowser")?.args.data?.frames?.[0]?.processId;
  const main = traces.find(({ name, pid, args }) => pid === page && name === "thread_name" && args.name === "CrRendererMain")?.tid;
  if (page === undefined || main === undefined) throw new Error("the trace does not say which thread is the page's");
  const all = traces.filter(({ name, pid, tid }) => name === "RunTask" && pid === page && tid === main);
  if (!all.some(({ tdur }) => tdur !== undefined)) throw new Error("the trace has no task of the page with its time");
  return all.map(({ tdur }) => Math.round((tdur ?? 0) / 1000)).filter((ms) => ms > 50);
}

interface Frames {
  frames: number[];
  over: boolean;
}

async function startFrames(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: Frames = { frames: [], over: false };
    (globalThis as unknown as { seen: Frames }).seen = seen;
    let last = performance.now();
    const frame = () => {
      const now = performance.now();
      seen.frames.push(now - last);
      last = now;
      if (!seen.over) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

async function endFrames(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const { seen } = globalThis as unknown as { seen: Frames };
    seen.over = true;
    return seen.frames;
  });
}

export const middle = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

export function told({ long, frames }: Tasks): string {
  const late = [...frames].sort((a, b) => a - b)[Math.floor(frames.length * 0.95)] ?? 0;
  return `${long.length} long tasks (longest ${Math.max(0, ...long)} ms of the processor), ${frames.length} frames, ${middle(frames).toFixed(0)} ms apart (95 %: ${late.toFixed(0)} ms)`;
}
