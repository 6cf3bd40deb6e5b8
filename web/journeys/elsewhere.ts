import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { account as words, elsewhere as text, sales as salesWords, staff as staffWords } from "../src/messages/en";
import { Fan } from "./fan";
import { codeOf, linkTo } from "./letters";
import { fits, look, shiftsOfLoad } from "./look";
import { freePort, startStack, type Stack } from "./stack";
import { ask, house, team } from "./working";

const password = "ten lanterns by the river";
const title = "The club <b>house</b>";

/**
 * Staff sign in with an account that they have elsewhere, at a real server of OpenID
 * Connect: an organizer to whom the provider asks for no second factor, one whose address
 * it has not verified, and what they see who are sent away, or while it is away.
 */
export async function staffOidc(fan: Fan): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ropeline-elsewhere-"));
  const port = await freePort();
  const provider = await startProvider(folder, `http://127.0.0.1:${port}`);
  let stack: Stack | undefined;
  try {
    stack = await startStack({}, { port, keys: provider.keys });
    await walk(new Fan(stack, fan.context, fan.page, fan.troubles));
  } finally {
    provider.stop();
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function walk(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  await atTheDoor(fan);
  await comesAsAFan(fan);
  await isInvited(fan);
  await showsASecondFactor(fan);
  await joinsAndParts(fan);
  await isSentAway(fan);
  await page.goto(`${stack.url}/desk/team`);
  await page.getByRole("button", { name: text.with("The choir") }).click(); // for which nobody answers
  await page.getByText(text.failed["sign-in-provider-away"]!).waitFor();
  await look(page, "elsewhere-away");
}

interface Provider {
  /** What a stack needs to know of it: files, by their names. */
  keys: Record<string, string>;
  stop: () => void;
}

/** Runs the server of a certified library, in a process of its own, which ends with its input. */
async function startProvider(folder: string, site: string): Promise<Provider> {
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, "elsewhere");
  const built = spawnSync("go", ["build", "-o", binary, "./internal/devstack/elsewhere/serve"], { cwd: resolve(".."), encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);
  const child: ChildProcess = spawn(binary, [`${site}/api/v1/accounts/providers/club/back`, "ines=ines@example.com", "mallory?=ines@example.com", "rui=rui@example.com"], { stdio: ["pipe", "pipe", "ignore"] });
  const issuer = await new Promise<string>((told, failed) => {
    createInterface({ input: child.stdout! }).once("line", told);
    child.once("exit", (code) => failed(new Error(`the provider ended with ${code}`)));
  });
  const providers = [{ name: "club", title, issuer, client: "ours", secret_file: "club.secret", emails: true }, { name: "choir", title: "The choir", issuer: "http://127.0.0.1:1", client: "ours" }];
  return { keys: { "providers.json": JSON.stringify(providers), "club.secret": "secret\n" }, stop: () => void child.stdin!.end() };
}

/** On the side of the provider, whose form this is. */
async function elsewhere(page: Page, user: string): Promise<void> {
  await page.locator('input[name="username"]').fill(user);
  await page.locator('input[name="password"]').fill("verysecure");
  await page.locator('button[type="submit"], input[type="submit"]').first().click();
}

const go = (page: Page) => page.getByRole("button", { name: text.with(title) }).click();

/** Every door has the button; another site's page cannot press it. */
async function atTheDoor({ page, stack }: Fan): Promise<void> {
  await page.goto(`${stack.url}/account`);
  await page.getByRole("button", { name: text.with(title) }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the sign-in moves while it is loaded");
  await look(page, "elsewhere-account");
  await fits(page);
  for (const path of ["/desk", "/desk/venues", "/counter", "/desk/sales"]) {
    await page.goto(stack.url + path);
    await page.getByRole("button", { name: text.with(title) }).waitFor();
  }
  await look(page, "elsewhere-desk");
  await fits(page);
}

/** Who was never here has an account then, and comes to where they wanted. */
async function comesAsAFan({ page, stack }: Fan): Promise<void> {
  await page.goto(`${stack.url}/account`);
  await go(page);
  await elsewhere(page, "ines");
  await page.getByText(words.orders.none).waitFor();
  assert.equal(new URL(page.url()).pathname, "/account");
  assert.equal(new URL(page.url()).search, "", "nothing of the flow is left in the address");
  const kept = (await page.context().cookies(stack.url)).map((each) => each.name);
  assert.ok(kept.includes("__Host-ropeline_account") && !kept.includes("__Host-ropeline_flow"), kept.join(" "));
  await page.goto(`${stack.url}/account/security`);
  await page.getByText(words.security.password.none).waitFor();
  await page.getByRole("button", { name: words.security.joined.partFrom(title) }).waitFor();
  await look(page, "elsewhere-no-password");
  await fits(page);
}

/** The desk opens to her role, and takes a second factor of ours, since the provider asks for none. */
async function isInvited(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  await ask(fan, "POST", `${team(house)}/invitations`, { email: "ines@example.com", roles: ["organizer"] });
  await page.getByRole("button", { name: words.signOut }).click();
  await page.goto("about:blank");
  await page.goto(await linkTo(stack, "ines@example.com", "invited"));
  await page.getByText(words.invited.first).waitFor();
  await go(page);
  await elsewhere(page, "ines"); // the provider has no session of its own
  await page.getByRole("button", { name: words.invited.submit }).click(); // the letter came along
  await page.getByText(words.invited.second).waitFor();
  await page.goto(`${stack.url}/account/forgot`);
  await page.getByLabel(words.email).fill("ines@example.com");
  await page.getByRole("button", { name: words.forgot.submit }).click();
  await page.getByText(words.sent.forgot("ines@example.com")).waitFor();
  await page.goto("about:blank");
  await page.goto(await linkTo(stack, "ines@example.com", "reset"));
  await page.getByLabel(words.password).fill(password);
  await page.getByRole("button", { name: words.reset.submit }).click();
  await page.getByText(words.reset.done).waitFor();
}

let codes: string[] = [];

async function showsASecondFactor({ page, stack }: Fan): Promise<void> {
  await page.goto(`${stack.url}/desk/sales`);
  await go(page);
  await elsewhere(page, "ines");
  await page.getByRole("heading", { name: staffWords.second.heading }).waitFor();
  await page.getByRole("link", { name: staffWords.second.go }).click();
  const second = words.security.second;
  const card = page.locator(".box").filter({ has: page.getByRole("heading", { name: second.heading, exact: true }) });
  await card.getByLabel(words.password).fill(password);
  await card.getByRole("button", { name: second.begin }).click();
  const key = await card.locator(".secret").innerText();
  await card.getByLabel(words.code).fill(codeOf(key));
  await card.getByLabel(words.code).press("Enter");
  await card.getByRole("heading", { name: second.codes }).waitFor();
  codes = await card.locator(".codes li").allInnerTexts();
  await card.getByRole("button", { name: second.kept }).click();
  await page.getByRole("link", { name: second.goOn }).click();
  await page.getByRole("heading", { name: salesWords.funnel }).waitFor();
  await page.getByRole("button", { name: salesWords.signOut }).click();

  await page.goto(`${stack.url}/desk/sales`);
  await go(page);
  await elsewhere(page, "ines");
  await page.getByRole("heading", { name: words.second.heading }).waitFor();
  await look(page, "elsewhere-second");
  await page.getByLabel(words.code).fill(codes[0]!);
  await page.getByLabel(words.code).press("Enter");
  await page.getByRole("heading", { name: salesWords.funnel }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/desk/sales", "she comes to where she wanted");
  await look(page, "elsewhere-works");
  await page.getByRole("button", { name: salesWords.signOut }).click();
}

/** What is parted signs nobody in; the owner joins it again, with the password. */
async function joinsAndParts({ page, stack }: Fan): Promise<void> {
  const joined = words.security.joined;
  await page.goto(`${stack.url}/account/security`);
  await page.getByLabel(words.email).fill("ines@example.com");
  await page.getByLabel(words.password).fill(password);
  await page.getByLabel(words.password).press("Enter");
  await page.getByLabel(words.code).fill(codes[1]!);
  await page.getByLabel(words.code).press("Enter");
  const card = page.locator(".box").filter({ has: page.getByRole("heading", { name: joined.heading, exact: true }) });
  await card.getByRole("button", { name: joined.partFrom(title) }).press("Enter");
  await card.getByText(joined.parted).waitFor();
  await look(page, "elsewhere-parted", card);
  await fits(page);
  await card.getByLabel(words.password).fill("not that password");
  await card.getByRole("button", { name: joined.join(title) }).click();
  await card.getByText("This is not your password.").waitFor();
  await card.getByLabel(words.password).fill(password);
  await card.getByRole("button", { name: joined.join(title) }).press("Enter");
  await elsewhere(page, "rui"); // whoever it is there: she has shown both
  await card.getByRole("button", { name: joined.partFrom(title) }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/account/security");
  await look(page, "elsewhere-joined", card);
  await page.getByRole("button", { name: words.signOut }).click();
  await page.goto(`${stack.url}/account`);
  await go(page);
  await elsewhere(page, "ines"); // her address has an account, which is joined with another one there
  await page.getByText(text.failed["sign-in-linked"]!).waitFor();
}

/** An address that nobody has verified joins nothing, and a way back that nobody began is told so. */
async function isSentAway({ page, stack }: Fan): Promise<void> {
  await page.goto(`${stack.url}/desk/sales`);
  await go(page);
  await elsewhere(page, "mallory");
  await page.getByText(text.failed["sign-in-unlinked"]!).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("back"), "/desk/sales");
  await look(page, "elsewhere-unlinked");
  await fits(page);
  await page.goto(`${stack.url}/api/v1/accounts/providers/club/back?state=x&code=y`);
  await page.getByText(text.failed["sign-in-flow-over"]!).waitFor();
  assert.equal((await page.request.get(`${stack.url}/api/v1/me`)).status(), 401, "nobody is signed in");
}
