import { beforeEach, expect, test, vi } from "vitest";
import * as staff from "../api/staff";
import { Refusal } from "../api/http";
import { staff as words } from "../messages/en";
import { standing, Working } from "./working";

const refusal = (status: number, code: string) => new Refusal(status, code, "", undefined);

/** A page whose one request is answered by ask. */
class Page extends Working {
  protected override readonly ofKeys = { wrong: "not known", other: "for something else" };
  ask = async () => {};

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      await this.ask();
      this.staff = "yes";
    });
  }

  leave(): Promise<void> {
    return this.act(() => this.signOut());
  }

  protected override async explain(cause: unknown): Promise<void> {
    if (!(await this.turnedAway(cause))) this.problem = String(cause);
  }
}

const sent: { method: string; path: string; organization: string | null }[] = [];
let places: staff.Place[] = [];

beforeEach(() => {
  sent.length = 0;
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => kept.set(name, value), removeItem: (name: string) => kept.delete(name) });
  vi.stubGlobal("fetch", async (path: string, { method, headers }: { method: string; headers: Record<string, string> }) => {
    sent.push({ method, path, organization: headers["Ropeline-Organization"] ?? null });
    return new Response(JSON.stringify(path.endsWith("/organizer/staff") ? { places } : {}));
  });
  staff.choose("");
});

const refusing = (...causes: Refusal[]) => {
  const page = new Page(() => {});
  page.ask = async () => {
    const cause = causes.shift();
    if (cause) throw cause;
  };
  return page;
};

test.each([
  [refusal(401, "staff-required"), "no"],
  [refusal(403, "organizer-required"), "other"],
  [refusal(403, "box-office-required"), "other"],
  [refusal(403, "second-factor-needed"), "second"],
  [refusal(409, "organization-needed"), "where"],
  [refusal(404, "organization-unknown"), "where"],
  [refusal(404, "event-unknown"), undefined],
  [refusal(403, "scope-required"), undefined],
  [new Error("no refusal"), undefined],
])("%s is about who asks: %s", (cause, want) => {
  expect(standing(cause)).toBe(want);
});

test("a stranger is told nothing, whose key is wrong that it is, and whose sign-in ended that it did", async () => {
  const stranger = refusing(refusal(401, "staff-required"), refusal(401, "staff-required"));
  await stranger.start("");
  expect([stranger.staff, stranger.problem]).toEqual(["no", ""]);
  await stranger.start("bad");
  expect([stranger.staff, stranger.problem]).toEqual(["no", "not known"]);
  await stranger.start("good");
  expect([stranger.staff, stranger.problem]).toEqual(["yes", ""]);
  stranger.ask = () => Promise.reject(refusal(401, "staff-required"));
  await stranger.start("");
  expect([stranger.staff, stranger.problem]).toEqual(["no", words.over]);
});

test("who has no role is told by what they came in: a key, an account, or a role that was taken", async () => {
  const key = refusing(refusal(403, "organizer-required"));
  await key.start("key-of-a-vendor");
  expect([key.staff, key.problem]).toEqual(["other", "for something else"]);
  const account = refusing(refusal(403, "organizer-required"));
  await account.start("");
  expect([account.staff, account.problem]).toEqual(["other", words.none]);
  const taken = refusing();
  await taken.start("");
  taken.ask = () => Promise.reject(refusal(403, "organizer-required"));
  await taken.start("");
  expect([taken.staff, taken.problem]).toEqual(["other", words.taken]);
});

test("who works for several chooses one that opens the page, says so with each request, and no more once signed out", async () => {
  places = [{ organization: "o1", name: "Opera", roles: ["organizer"] }, { organization: "o2", name: "Cinema", roles: ["boxoffice"] }, { roles: ["sre"] }];
  const page = refusing(refusal(409, "organization-needed"));
  await page.start("");
  expect([page.staff, page.problem, page.places]).toEqual(["where", "", [places[0], places[2]]]);
  page.ask = async () => void (await staff.call("GET", "/api/v1/organizer/events"));
  await page.workFor(places[0]!);
  await page.workFor(places[2]!);
  expect(sent.slice(1).map((each) => each.organization)).toEqual(["o1", "installation"]);
  expect([page.staff, sessionStorage.getItem("ropeline-organization")]).toEqual(["yes", "installation"]);

  sent.length = 0;
  await page.leave();
  expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual(["DELETE /api/v1/ops/sign-in", "POST /api/v1/accounts/sign-out"]);
  expect([page.staff, staff.forWhom(), sessionStorage.getItem("ropeline-organization")]).toEqual(["no", {}, null]);
});

test("whoever lost the organization they chose is told, and asked anew, if there is one left", async () => {
  places = [{ organization: "o3", name: "Club", roles: ["organizer"] }];
  staff.choose("o1");
  const other = refusing(refusal(404, "organization-unknown"));
  await other.start("");
  expect([other.staff, other.problem, other.places]).toEqual(["where", words.where.gone, places]);
  places = [{ organization: "o2", name: "Cinema", roles: ["boxoffice"] }];
  staff.choose("o1");
  const page = refusing(refusal(404, "organization-unknown"));
  await page.start("");
  expect([page.staff, page.problem, staff.chosen()]).toEqual(["where", words.where.none, ""]);
});
