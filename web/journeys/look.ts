// Looking at a page: pictures in both widths and schemes, accessibility, and
// what must never happen on any page.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Locator, Page } from "playwright-core";

const folder = resolve("..", "out", "screens");
const axeSource = readFileSync(createRequire(resolve("package.json")).resolve("axe-core/axe.min.js"), "utf8");
const widths = [
  { width: 390, height: 844 },
  { width: 1280, height: 900 },
];
const schemes = ["light", "dark"] as const;

// Pictures are for people: with PICTURES=0 none are taken, which a quarter of the time goes into.
const pictures = process.env.PICTURES !== "0";

/** Pictures of a page as out/screens/NAME-WIDTH-SCHEME.png, and an axe run in each scheme. at: what has to be in the pictures. */
export async function look(page: Page, name: string, at?: Locator): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const before = page.viewportSize();
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const size of pictures ? widths : widths.slice(-1)) {
      await page.setViewportSize(size);
      await at?.evaluate((element) => element.scrollIntoView({ block: "center" }));
      await settled(page);
      if (pictures) await page.screenshot({ path: join(folder, `${name}-${size.width}-${colorScheme}.png`) });
    }
    await accessible(page, `${name}, ${colorScheme}`, colorScheme === schemes[0] ? [] : ["color-contrast"]);
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
  if (before) await page.setViewportSize(before);
  await settled(page);
}

export async function failedPicture(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `FAILED-${name}.png`) });
}

/** Two frames: what the last change caused is on the screen. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

interface Violation {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}

/** rules: some of axe's, or none for all: two schemes of a page differ in their colors alone. */
async function accessible(page: Page, name: string, rules: string[]): Promise<void> {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource);
  const violations = await page.evaluate(async (runOnly) => {
    const axe = (globalThis as unknown as { axe: { run: (options: object) => Promise<{ violations: Violation[] }> } }).axe;
    return (await axe.run({ resultTypes: ["violations"], ...(runOnly.length > 0 ? { runOnly } : {}) })).violations;
  }, rules);
  const grave = violations.filter((each) => each.impact === "serious" || each.impact === "critical");
  if (grave.length === 0) return;
  const told = grave.flatMap((each) => each.nodes.map((node) => `${each.impact} ${each.id} at ${node.target.join(" ")}: ${node.failureSummary}`));
  throw new Error(`${name} is not accessible:\n${told.join("\n")}`);
}

/** No part of a page stands out beside it, where it could be scrolled to. */
export async function fits(page: Page): Promise<void> {
  const beside = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (beside > 0) throw new Error(`${page.url()} can be scrolled sideways by ${beside} px`);
}

/** Scripts that failed and what the page's own policy refused; any of them fails the journey. */
export function watch(page: Page, troubles: string[]): void {
  page.on("pageerror", (error) => troubles.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    if (/Content[ -]Security[ -]Policy/i.test(message.text())) troubles.push(message.text());
  });
}

interface Shift {
  value: number;
  sources: { node: Element | null }[];
}

/** How much has moved since the page was loaded. */
export const shiftsOfLoad = async (page: Page): Promise<number> => (await movedInLoad(page)).value;

/** The same, and what moved. */
export async function movedInLoad(page: Page): Promise<{ value: number; of: string }> {
  return page.evaluate(
    () =>
      new Promise<{ value: number; of: string }>((done) => {
        const observer = new PerformanceObserver((list) => {
          const shifts = list.getEntries() as unknown as Shift[];
          const named = shifts.map(({ value, sources }) => `${value.toFixed(3)} ${sources.map(({ node }) => (node as HTMLElement | null)?.outerHTML?.slice(0, 80) ?? "?").join(" and ")}`);
          done({ value: shifts.reduce((sum, shift) => sum + shift.value, 0), of: named.join("\n") });
        });
        observer.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done({ value: 0, of: "" }), 200); // none is told of
      }),
  );
}

/** Holds what a page asks for at an address until it is opened. */
export async function hold(page: Page, address: RegExp): Promise<{ asked: Promise<void>; open: () => void }> {
  let [ask, open] = [() => {}, () => {}];
  const asked = new Promise<void>((done) => (ask = done));
  const opened = new Promise<void>((done) => (open = done));
  await page.route(address, async (route) => {
    ask();
    await opened;
    await route.continue();
  });
  return { asked, open };
}

/** From now on layout shifts are summed up; read them with shifts(). */
export async function watchShifts(page: Page): Promise<void> {
  await page.evaluate(() => {
    const sum = { value: 0 };
    (globalThis as unknown as { shifts: typeof sum }).shifts = sum;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) sum.value += (entry as unknown as { value: number }).value;
    }).observe({ type: "layout-shift", buffered: false });
  });
}

export async function shifts(page: Page): Promise<number> {
  await settled(page);
  return page.evaluate(() => (globalThis as unknown as { shifts: { value: number } }).shifts.value);
}
