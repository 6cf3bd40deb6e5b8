// How smoothly a page goes while somebody does something.

import type { Page } from "playwright-core";

export interface Tasks {
  /** Tasks of more than 50 ms, in ms. */
  long: number[];
  /** Between frames, in ms. */
  frames: number[];
}

/** From now on what takes long is written down; read it with tasks(). */
export async function watchTasks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen = { long: [] as number[], frames: [] as number[], over: false };
    (globalThis as unknown as { tasks: typeof seen }).tasks = seen;
    const observer = new PerformanceObserver((list) => {
      if (seen.over) return observer.disconnect();
      for (const entry of list.getEntries()) seen.long.push(Math.round(entry.duration));
    });
    observer.observe({ type: "longtask", buffered: false });
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

export async function tasks(page: Page): Promise<Tasks> {
  return page.evaluate(() => {
    const seen = (globalThis as unknown as { tasks: Tasks & { over: boolean } }).tasks;
    seen.over = true;
    return seen;
  });
}

export const middle = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

export function told({ long, frames }: Tasks): string {
  const late = [...frames].sort((a, b) => a - b)[Math.floor(frames.length * 0.95)] ?? 0;
  return `${long.length} long tasks (longest ${Math.max(0, ...long)} ms), ${frames.length} frames, ${middle(frames).toFixed(0)} ms apart (95 %: ${late.toFixed(0)} ms)`;
}
