import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { order as orderWords, ticket as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { fits, look, shiftsOfLoad } from "./look";

/** Tickets on the phone: a code that changes, of each ticket, by the server's clock, and with no network at all. */
export async function carries(fan: Fan): Promise<void> {
  const tab = await fan.context.newPage();
  await tab.goto(fan.page.url());
  for (const [name, start] of [[orderWords.pdf, "%PDF-"], [orderWords.calendar, "BEGIN:VCALENDAR"]] as const) {
    const [file] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name }).click()]);
    assert.ok((await readFile(await file.path(), "latin1")).startsWith(start), `${name} is not what it says`);
  }
  await tab.addInitScript(() => { // a phone that is ten minutes slow
    const real = Date.now;
    Date.now = () => real() - 600_000;
  });
  await tab.getByRole("link", { name: orderWords.phone }).click();
  const code = tab.locator("svg[data-code^=RT1]");
  const shown = () => code.getAttribute("data-code");
  await code.waitFor();
  const periodOf = (text: string | null) => Number.parseInt([...text!.slice(3 + 32, 3 + 39)].map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit).toString(2).padStart(5, "0")).join("").slice(0, 32), 2);
  const first = await shown();
  assert.ok(Math.abs(periodOf(first) - Date.now() / 15_000) < 2, `the code is of period ${periodOf(first)}, and it is ${Date.now() / 15_000}`);
  await tab.getByText(words.kept).waitFor();
  await tab.getByText(words.clock(600_000)).waitFor();
  const moved = await shiftsOfLoad(tab);
  assert.ok(moved < 0.05, `the ticket moves by ${moved} while it is loaded`);
  await fits(tab);
  await look(tab, "ticket");
  await tab.keyboard.press("ArrowRight");
  await tab.getByText(words.of(2, 2)).waitFor();
  await tab.waitForFunction((old) => document.querySelector("svg[data-code]")?.getAttribute("data-code")?.slice(3, 32) !== old?.slice(3, 32), first);

  await fan.context.setOffline(true);
  await tab.reload();
  await code.waitFor();
  await tab.getByText(/^Without a connection/).waitFor();
  const second = await shown();
  await tab.waitForFunction((old) => document.querySelector("svg[data-code]")?.getAttribute("data-code") !== old, second);
  assert.equal(periodOf(await shown()), periodOf(second) + 1, "the next code is of the next period");
  await look(tab, "ticket-offline");
  await fan.context.setOffline(false);
  await tab.close();
}
