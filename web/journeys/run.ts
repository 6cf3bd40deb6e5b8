// Walks a real browser through a running Ropeline. Each journey has a browser
// profile of its own; one failing does not stop the others. Those that start a
// stack of their own run beside the others, which share one and go one by one:
// much of each is waiting.

import { existsSync } from "node:fs";
import { chromium, devices } from "playwright-core";
import { account } from "./account";
import { buy } from "./buy";
import { card } from "./card";
import { counter } from "./counter";
import { coupons } from "./coupons";
import { decline } from "./decline";
import { door } from "./door";
import { draw } from "./draw";
import { dressed } from "./dressed";
import { venueDraw } from "./drawing";
import { staffOidc } from "./elsewhere";
import { exchange } from "./exchange";
import { Fan } from "./fan";
import { find } from "./find";
import { foreign } from "./foreign";
import { invited } from "./invited";
import { gate } from "./gate";
import { hall } from "./hall";
import { handover } from "./handover";
import { leave } from "./leave";
import { failedPicture, watch } from "./look";
import { net } from "./net";
import { news } from "./news";
import { newsletter } from "./newsletter";
import { nights } from "./nights";
import { ops } from "./ops";
import { organizer } from "./organizer";
import { party } from "./party";
import { phone } from "./phone";
import { plain } from "./plain";
import { polling } from "./polling";
import { presale } from "./presale";
import { queue } from "./queue";
import { returns } from "./returns";
import { reviews } from "./reviews";
import { findStack, type Stack } from "./stack";
import { sales } from "./sales";
import { stopped } from "./stopped";
import { transfer } from "./transfer";
import { turn } from "./turn";
import { venueImport } from "./venues";
import { staffTeam } from "./team";
import { deskLetters } from "./wording";
import { staffTotp } from "./working";

// buy comes first: it wants to see the lobby of a stack that was just started. sales comes last: it cancels the show.
const together: Record<string, (fan: Fan) => Promise<void>> = { buy, phone, decline, card, exchange, transfer, stopped, queue, polling, plain, handover, turn, party, leave, gate, foreign, ops, counter, door, dressed, account, "staff-totp": staffTotp, "staff-team": staffTeam, "desk-letters": deskLetters, newsletter, "venue-import": venueImport, "venue-draw": venueDraw, sales };
const apart: typeof together = { draw, news, nights, returns, coupons, invited, presale, net, hall, "staff-oidc": staffOidc, "organizer-tour": organizer, "fan-finds-and-buys": find, reviews };
const journeys = { ...together, ...apart };
const desktop = { viewport: { width: 1280, height: 900 } };

const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];

async function main(): Promise<number> {
  const chosen = (process.env.JOURNEY ?? "").split(",");
  const names = Object.keys(journeys).filter((name) => chosen[0] === "" || chosen.includes(name));
  if (names.length < chosen.length) throw new Error(`no journey is called one of ${chosen}; there are: ${Object.keys(journeys).join(", ")}`);
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing; install it with: apt-get install --no-install-recommends chromium`);
  const stack = await findStack();
  // Stopped from outside: take our own stack along.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stack.stop().finally(() => process.exit(1)));
  try {
    const browser = await chromium.launch({ executablePath, args: flags });
    try {
      let failed = 0;
      const oneByOne = async (of: typeof together) => {
        for (const name of names) if (name in of && !(await walk(name, stack, browser))) failed++;
      };
      await Promise.all([oneByOne(together), oneByOne(apart)]);
      console.log(`${names.length - failed} passed, ${failed} failed`);
      return failed === 0 ? 0 : 1;
    } finally {
      await browser.close();
    }
  } finally {
    await stack.stop();
  }
}

async function walk(name: string, stack: Stack, browser: Awaited<ReturnType<typeof chromium.launch>>): Promise<boolean> {
  const context = await browser.newContext({ ...(name === "phone" ? devices["Pixel 7"] : desktop), locale: "en-GB" });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  watch(page, troubles);
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  try {
    await journeys[name]!(new Fan(stack, context, page, troubles));
    if (troubles.length > 0) throw new Error(troubles.join("\n"));
    console.log(`ok   ${name} (${seconds()} s)`);
    return true;
  } catch (cause) {
    console.log(`FAIL ${name} (${seconds()} s) at ${page.url()}\n${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`);
    await failedPicture(page, name).catch(() => {}); // the page itself may be what broke
    return false;
  } finally {
    await context.close();
  }
}

process.exitCode = await main();
