import assert from "node:assert/strict";
import { team as words } from "../src/messages/en";
import type { Fan } from "./fan";
import { linkTo } from "./letters";
import { fits, look, shiftsOfLoad } from "./look";
import { another, ask } from "./working";

/** Who runs an organization invites, gives and takes roles, and makes and revokes a key, in the browser. */
export async function staffTeam(fan: Fan): Promise<void> {
  const { page, stack } = fan;
  const name = "Theatre <i>do Rio</i>";
  const { id } = await ask<{ id: string }>(fan, "POST", "/api/v1/organizer/organizations", { slug: `theatre-${Date.now()}`, name });
  await page.goto(`${stack.url}/desk/team#key=${stack.staffKey}`);
  await page.getByRole("heading", { name: words.members.heading }).waitFor();
  assert.equal(new URL(page.url()).hash, "", "the key is not in the address");
  await page.locator(".which select").selectOption({ label: words.installation });
  await page.getByRole("heading", { name: words.keys.heading }).waitFor({ state: "detached" }); // it has none
  await page.locator(".which select").selectOption(id);
  await page.getByRole("heading", { name: words.keys.heading }).waitFor(); // before it comes, what is filled in is for the other, and goes with it
  await page.getByText(words.members.none).waitFor();
  await invites(fan, `lea.${Date.now()}@example.com`);
  await rules(fan, id);
  await keys(fan);
  await page.reload();
  await page.getByRole("heading", { name: words.heading }).waitFor();
  await page.getByRole("heading", { name: words.members.heading }).waitFor();
  assert.equal(await shiftsOfLoad(page), 0, "the page moves while it is loaded");
}

/** An invitation, which is seen and taken back. */
async function invites({ page, stack }: Fan, email: string): Promise<void> {
  const send = page.getByRole("button", { name: words.invite.submit });
  await page.getByLabel(words.invite.email).fill(email);
  await send.click();
  await page.getByText(words.invite.noRole).waitFor();
  await page.getByLabel(words.roles.venue!).check();
  await send.press("Enter");
  await page.getByText(words.invite.sent(email)).waitFor();
  assert.match(await linkTo(stack, email, "invited"), /#invited=/);
  await look(page, "team-invited");
  await fits(page);
  await page.getByRole("button", { name: words.members.takeBackOf(email) }).press("Enter");
  await page.getByRole("dialog", { name: words.members.askTakeBack(email) }).waitFor();
  await look(page, "team-asks");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: words.members.takeBackOf(email) }).click();
  await page.getByRole("dialog").getByRole("button", { name: words.members.takeBack, exact: true }).click();
  await page.getByText(words.members.takenBack(email)).waitFor();
  await page.getByText(words.members.none).waitFor();
}

/** Roles of who has come, in two tabs, until they are gone. */
async function rules(fan: Fan, organization: string): Promise<void> {
  const { page } = fan;
  const [boss, helper] = [`boss.${Date.now()}@example.com`, `helper.${Date.now()}@example.com`];
  await another(fan, boss, organization);
  await another(fan, helper, organization);
  await page.reload();
  await page.locator(".which select").selectOption(organization);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.locator(".which select").selectOption(organization);
  const change = async (at: typeof page) => {
    await at.getByRole("button", { name: words.members.changeOf(helper) }).press("Enter");
    const form = at.getByRole("group", { name: words.members.rolesOf(helper) });
    await form.getByLabel(words.roles.boxoffice!).check();
    await form.getByLabel(words.roles.organizer!).uncheck();
  };
  await change(page);
  await look(page, "team-roles");
  await fits(page);
  await change(other);
  await page.getByRole("button", { name: words.members.save }).press("Enter");
  await page.getByText(words.members.changed(helper)).waitFor();
  await other.getByRole("button", { name: words.members.save }).click();
  await other.getByText("are not what you have seen any more").waitFor();
  await other.close();

  const removes = async (who: string) => {
    await page.getByRole("button", { name: words.members.removeOf(who) }).click();
    await page.getByRole("dialog", { name: words.members.askRemove(who) }).getByRole("button", { name: words.members.remove, exact: true }).click();
  };
  await removes(boss);
  await page.getByText("This is the only organizer").waitFor();
  await look(page, "team-last-organizer");
  await removes(helper);
  await page.getByText(words.members.removed(helper)).waitFor();
}

/** A key is made, does what it says and nothing else, and is revoked. */
async function keys({ page, stack }: Fan): Promise<void> {
  const text = words.keys;
  await page.getByLabel(text.name).fill("Web <b>site</b>");
  await page.getByRole("button", { name: text.submit }).click();
  await page.getByText(text.noScope).waitFor();
  await page.getByLabel(text.scopes["events:read"]!).check();
  await page.getByLabel(text.days).fill("30");
  await page.getByRole("button", { name: text.submit }).press("Enter");
  await page.getByRole("heading", { name: text.secret("Web <b>site</b>") }).waitFor();
  await look(page, "team-key", page.locator(".made"));
  await fits(page);
  const secret = await page.locator(".made code").innerText();
  assert.match(secret, /^rlk_[\w-]{43}$/);
  const tries = async (path: string) => (await fetch(`${stack.url}/api/v1/organizer/${path}`, { headers: { Authorization: `Bearer ${secret}` } })).status;
  assert.deepEqual([await tries("events"), await tries("venues")], [200, 403]);
  await page.getByRole("button", { name: text.kept }).press("Enter");
  await page.getByRole("heading", { name: text.secret("Web <b>site</b>") }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: text.revokeOf("Web <b>site</b>") }).click();
  await page.getByRole("dialog", { name: text.ask("Web <b>site</b>") }).getByRole("button", { name: text.revoke, exact: true }).click();
  await page.getByText(text.revoked("Web <b>site</b>")).waitFor();
  assert.equal(await tries("events"), 401);
  await look(page, "team-key-revoked", page.locator("[data-over=true]"));
}
