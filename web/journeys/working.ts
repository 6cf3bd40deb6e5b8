import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { account as words, desks, ops as opsWords, sales as salesWords, staff as text, venues as venueWords } from "../src/messages/en";
import { type Fan, until } from "./fan";
import { codeOf, linkTo } from "./letters";
import { fits, look, shiftsOfLoad } from "./look";

const password = "nine lanterns on a stair";
export const house = "00000000-0000-7000-8000-000000000001";

/** An organizer from the letter of an invitation to work at the desk with a second factor, for two organizations, and until the role is taken. */
export async function staffTotp(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  const email = `ines.${Date.now()}@example.com`;
  await isShownTheWay(fan);
  await ask(fan, "POST", `${team(house)}/invitations`, { email, roles: ["organizer"] });
  await hasAnAccount(fan, email);
  await takes(fan, await linkTo(stack, email, "invited"), email);
  const { key, codes } = await secures(page);
  await page.getByRole("link", { name: words.security.second.goOn }).click();
  await works(page);
  assert.equal(new URL(page.url()).pathname, "/desk/sales");
  await comesBack(fan, email, codeOf(key, 1)); // that of this half minute was used
  await comesBack(fan, email, codes[0]!);
  await worksForTwo(fan, email);
  await comesBack(fan, email, codes[1]!);
  await another(fan, `rui.${email}`); // an organization keeps one organizer
  await losesTheRole(page, () => managesVenues(fan, house, email));
  await steers(fan, email, codes[2]!);
}

export const team = (organization: string) => `/api/v1/organizer/organizations/${organization}`;

/** As the house's SRE, by the key. */
export async function ask<T>({ stack }: Fan, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const init: RequestInit = { method, headers: { Authorization: `Bearer ${stack.staffKey}`, "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(), ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await fetch(stack.url + path, init);
  const told = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${told}`);
  return (told === "" ? undefined : JSON.parse(told)) as T;
}

/** Each page of the desk leads who has no key to the account, and back. */
async function isShownTheWay({ page, stack }: Fan): Promise<void> {
  for (const path of ["/desk", "/desk/setup", "/desk/venues", "/desk/venues?draw=1", "/counter", "/desk/sales"]) {
    await page.goto(stack.url + path);
    await page.getByRole("link", { name: text.account }).waitFor();
    await look(page, `staff-door${path.replaceAll(/[/?=]/g, "-")}`);
    await fits(page);
    await page.getByRole("link", { name: text.account }).click();
    await page.waitForURL("**/account?**");
    await page.getByRole("heading", { name: words.signIn.heading }).waitFor(); // the door has one of the same words
    assert.equal(new URL(page.url()).searchParams.get("back"), path);
  }
}

async function hasAnAccount({ page, stack }: Fan, email: string): Promise<void> {
  await page.goto(`${stack.url}/account/sign-up`);
  await page.getByLabel(words.email).fill(email);
  await page.getByLabel(words.password).fill(password);
  await page.getByLabel(words.password).press("Enter");
  await page.getByText(words.sent.signUp(email)).waitFor();
  await page.goto("about:blank");
  await page.goto(await linkTo(stack, email, "confirm"));
  await page.getByLabel(words.password).fill(password);
  await page.getByRole("button", { name: words.confirm.submit }).click();
  await page.getByText(words.orders.none).waitFor();
  await page.goto(`${stack.url}/desk/sales`); // an account alone opens nothing
  await page.getByText(text.none).waitFor();
  await look(page, "staff-no-role");
  await page.getByRole("button", { name: text.signOut }).click();
  await page.getByRole("link", { name: text.account }).waitFor();
}

async function signsIn(page: Page, email: string): Promise<void> {
  await page.getByRole("heading", { name: words.signIn.heading }).waitFor();
  await page.getByLabel(words.email).fill(email);
  await page.getByLabel(words.password).fill(password);
  await page.getByLabel(words.password).press("Enter");
}

/** Takes the invitation; the desk stays shut without a second factor. */
async function takes({ page, stack }: Fan, link: string, email: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByText(words.invited.first).waitFor();
  await look(page, "invited-sign-in");
  await signsIn(page, email);
  await page.getByRole("heading", { name: words.invited.heading }).waitFor();
  await page.reload(); // who is signed in comes to it at once
  await page.getByRole("heading", { name: words.invited.heading }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the invitation moves while it is loaded");
  await look(page, "invited");
  await fits(page);
  await page.getByRole("button", { name: words.invited.other }).click();
  await signsIn(page, email); // the letter is still open
  await page.getByRole("button", { name: words.invited.submit }).press("Enter");
  await page.getByText(words.invited.second).waitFor();
  await look(page, "invited-taken");
  await fits(page);

  await page.goto(`${stack.url}/desk/sales`);
  await page.getByRole("heading", { name: text.second.heading }).waitFor();
  await look(page, "staff-second-needed");
  await fits(page);
  await page.getByRole("link", { name: text.second.go }).press("Enter");
}

async function secures(page: Page): Promise<{ key: string; codes: string[] }> {
  const second = words.security.second;
  const card = page.locator(".box").filter({ has: page.getByRole("heading", { name: second.heading, exact: true }) });
  await card.getByLabel(words.password).fill(password);
  await card.getByRole("button", { name: second.begin }).click();
  const key = await card.locator(".secret").innerText();
  await card.getByLabel(words.code).fill(codeOf(key));
  await card.getByLabel(words.code).press("Enter");
  await card.getByRole("heading", { name: second.codes }).waitFor();
  const codes = await card.locator(".codes li").allInnerTexts();
  await card.getByRole("button", { name: second.kept }).click();
  await card.getByRole("link", { name: second.goOn }).waitFor();
  await look(page, "staff-second-on", card);
  return { key, codes };
}

const works = (page: Page) => page.getByRole("heading", { name: salesWords.funnel }).waitFor();

/** Signs out, and in again with this code: the page is the one that was left. */
async function comesBack({ page, stack }: Fan, email: string, code: string): Promise<void> {
  await page.getByRole("button", { name: salesWords.signOut }).click();
  await page.goto(`${stack.url}/desk/venues`);
  await page.getByRole("link", { name: text.account }).click(); // a key would go to the field that takes the focus when the door is drawn
  await signsIn(page, email);
  await page.getByLabel(words.code).fill(code);
  await page.getByLabel(words.code).press("Enter");
  await page.getByRole("heading", { name: venueWords.heading }).waitFor();
  await page.getByLabel(venueWords.file.choose).waitFor();
  await page.goto(`${stack.url}/desk/sales`);
  await works(page);
}

/** Who works for two says for which, and is asked again once that one is gone. */
async function worksForTwo(fan: Fan, email: string): Promise<void> {
  const { page, stack } = fan;
  const name = "Opera <b>do Tejo</b>";
  const opera = await ask<{ id: string }>(fan, "POST", "/api/v1/organizer/organizations", { slug: `opera-${Date.now()}`, name });
  const before = await linkTo(stack, email, "invited");
  await ask(fan, "POST", `${team(opera.id)}/invitations`, { email, roles: ["organizer"] });
  let link = before;
  await until(async () => (link = await linkTo(stack, email, "invited")) !== before, "the second letter");
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByRole("button", { name: words.invited.submit }).click();
  await page.getByRole("heading", { name: words.invited.done(name) }).waitFor();
  await look(page, "invited-taken-again");
  await page.getByRole("link", { name: words.invited.on }).click();

  await page.getByRole("heading", { name: text.where.heading }).waitFor();
  await look(page, "staff-where");
  await fits(page);
  await page.getByRole("button", { name }).press("Enter");
  await page.getByText(salesWords.none).waitFor(); // the opera has none
  await page.reload(); // the tab keeps it
  await page.getByText(salesWords.none).waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok((await page.getByRole("button", { name: salesWords.signOut }).boundingBox())!.x < 380, "the way out is in sight");
  await page.setViewportSize({ width: 1280, height: 900 });
  await look(page, "staff-switch");
  await fits(page);
  await page.getByRole("button", { name: desks.other(name) }).press("Enter");
  await page.getByRole("heading", { name: text.where.heading }).waitFor();
  await page.locator("main button").first().click(); // the house
  await works(page);
  await page.getByRole("button", { name: /: change$/ }).click();
  await page.getByRole("button", { name, exact: true }).press("Enter");
  await page.getByText(salesWords.none).waitFor();
  await another(fan, `ana.${email}`, opera.id);
  await leaves(fan, opera.id, email);
  await page.reload();
  await page.getByText(text.where.gone).waitFor();
  await look(page, "staff-where-gone");
  await page.locator("main button").first().click();
  await works(page);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: salesWords.accountsFile }).click()]);
  assert.equal(download.suggestedFilename(), "accounting.csv");
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  assert.match(Buffer.concat(chunks).toString(), /^\W*\w+(,\w+)+/, "a table with a heading");
}

/** As an SRE she opens the operations with her account, and what she does there is hers; without the role she gets no more time. */
async function steers(fan: Fan, email: string, code: string): Promise<void> {
  const { page, stack } = fan;
  const installation = "installation";
  const before = await linkTo(stack, email, "invited");
  await page.goto(`${stack.url}/ops`);
  await page.getByRole("link", { name: text.account }).waitFor();
  await look(page, "ops-door");
  await fits(page);
  await page.getByRole("link", { name: text.account }).press("Enter");
  await page.waitForURL("**/account?**");
  await signsIn(page, email);
  await page.getByLabel(words.code).fill(code);
  await page.getByLabel(words.code).press("Enter");
  await page.getByText(opsWords.account.other).waitFor(); // she manages venues
  await look(page, "ops-door-other");
  await fits(page);
  await ask(fan, "POST", `${team(installation)}/invitations`, { email, roles: ["sre"] });
  let link = before;
  await until(async () => (link = await linkTo(stack, email, "invited")) !== before, "the letter to the SRE");
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByRole("button", { name: words.invited.submit }).press("Enter");
  await page.getByRole("button", { name: words.invited.submit }).waitFor({ state: "detached" });

  await page.goto(`${stack.url}/ops#sale=${stack.sale}`);
  const mode = (name: keyof typeof opsWords.mode.name) => page.getByRole("button", { name: opsWords.mode.name[name], exact: true });
  const change = async (to: "pause" | "run", reason: string) => {
    await page.getByLabel(opsWords.mode.reason).fill(reason);
    await mode(to).press("Enter");
    await page.locator(".audit").getByText(reason).first().waitFor();
  };
  await mode("pause").waitFor();
  await change("pause", "The band is stuck in traffic.");
  try {
    await page.locator(".audit").getByText(/account-[0-9a-f-]{36}/).first().waitFor();
    await look(page, "ops-by-account");
    assert.equal((await page.context().cookies(`${stack.url}/api/v1/ops`)).find((each) => each.name === "ropeline_badge")?.httpOnly, true, "no script reads the badge");
    assert.equal((await page.context().cookies(`${stack.url}/api/v1/me`)).find((each) => each.name === "ropeline_badge"), undefined, "the badge goes to the operations alone");
  } finally {
    await change("run", "The band is here.");
  }
  const { id, version } = await memberOf(fan, installation, email);
  await ask(fan, "DELETE", `${team(installation)}/members/${id}?reason=has+left`, undefined, { "If-Match": `"${version}"` });
  const renewed = () => page.evaluate(async () => (await fetch("/api/v1/organizer/staff/badge", { method: "PUT" })).status);
  assert.equal(await renewed(), 403, "nobody else is given more time");
  await page.context().clearCookies({ name: "ropeline_badge" }); // a quarter of an hour later
  await page.getByText(opsWords.account.other).waitFor();
  await page.getByText(opsWords.signIn.over).waitFor();
  await page.getByRole("button", { name: opsWords.account.signOut }).press("Enter");
  await page.getByRole("link", { name: text.account }).waitFor();
}

const memberOf = async (fan: Fan, organization: string, email: string) => {
  const { members } = await ask<{ members: { id: string; email: string; version?: number }[] }>(fan, "GET", `${team(organization)}/members?limit=200`);
  return members.find((each) => each.email === email && each.version !== undefined)!;
};

/** Takes somebody's roles in an organization away. */
async function leaves(fan: Fan, organization: string, email: string): Promise<void> {
  const { id, version } = await memberOf(fan, organization, email);
  await ask(fan, "DELETE", `${team(organization)}/members/${id}?reason=has+left`, undefined, { "If-Match": `"${version}"` });
}

/** Somebody has another role from now on, which opens venues alone. */
async function managesVenues(fan: Fan, organization: string, email: string): Promise<void> {
  const { id, version } = await memberOf(fan, organization, email);
  await ask(fan, "PUT", `${team(organization)}/members/${id}?reason=another+job`, { roles: ["venue"] }, { "If-Match": `"${version}"` });
}

/** Another organizer, who comes in without a browser. */
export async function another(fan: Fan, email: string, organization = house): Promise<void> {
  const { stack } = fan;
  const token = async (purpose: string) => new URL(await linkTo(stack, email, purpose)).hash.split("=")[1]!;
  await ask(fan, "POST", `${team(organization)}/invitations`, { email, roles: ["organizer"] });
  await ask(fan, "POST", "/api/v1/accounts", { email, password });
  const body = JSON.stringify({ token: await token("confirm"), password });
  const confirmed = await fetch(`${stack.url}/api/v1/accounts/confirm`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const cookie = confirmed.headers.getSetCookie()[0]!.split(";")[0]!;
  await ask(fan, "POST", "/api/v1/me/invitations/accept", { token: await token("invited") }, { Cookie: cookie, "Sec-Fetch-Site": "same-origin" });
}

/** What is open is refused at its next look, and leads to what is open now. */
async function losesTheRole(page: Page, takeIt: () => Promise<unknown>): Promise<void> {
  await works(page);
  await takeIt();
  await page.getByText(text.taken).waitFor();
  await look(page, "staff-role-taken");
  await fits(page);
  const pages = page.getByRole("navigation", { name: desks.label });
  assert.equal(await pages.getByRole("link").count(), 1, "one page is open");
  await pages.getByRole("link", { name: desks.venues }).press("Enter");
  await page.getByLabel(venueWords.file.choose).waitFor();
  await page.goto(`${page.url().split("/desk")[0]}/desk/sales`); // who comes here by an address is led there, too
  await page.getByText(text.none).waitFor();
  await pages.getByRole("link", { name: desks.venues }).waitFor();
  await page.getByRole("button", { name: text.signOut }).press("Enter");
  await page.getByRole("link", { name: text.account }).waitFor();
}
