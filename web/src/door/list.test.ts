import { expect, test } from "vitest";
import { codeOf, importKey, periodOf } from "../ticket/code";
import { base64, unbase64 } from "./code";
import made from "../../../booking/ticket/testdata/phone.json";
import { doorOf, lineOf } from "./line";
import { enter, Known, type List, type Listed, opened, type Seen, takeBack } from "./list";

const now = Date.parse("2026-11-27T19:42:07Z");
const printed = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const hash = async (text: string) => base64(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));

async function house(change: Partial<List["settings"]> = {}, ticket: Partial<Listed> = {}): Promise<Known> {
  const of = made[0]!;
  return new Known({
    performance: "p1",
    version: "1.7",
    made_at: "2026-11-27T18:00:00Z",
    settings: { version: 1, printed: true, reentry: false, doors: [{ name: "North" }, { name: "Lounge", zone: "Lounge", areas: ["Balcony"] }], ...change },
    tickets: [{ id: of.ticket, state: "valid", issue: of.issue, keys: { [of.key_id]: base64(Uint8Array.from([...unbase64(of.key.x), ...unbase64(of.key.y)])) }, printed: await hash(printed), seat: "Stalls-1-1", tier: "Stalls", section: "Left", ...ticket }],
  });
}

const code = async (ahead = 0, issue = made[0]!.issue) => codeOf(await importKey(made[0]!.key), { ...made[0]!, issue }, periodOf(now + ahead));
const reason = async (known: Known, read: { code?: string; ticket?: string }, door = "North", out = false, seen: Seen = {}) => (await known.decide(read, door, out, seen, now)).reason ?? "yes";

test("by the list a ticket opens a door once", async () => {
  const known = await house();
  const seen: Seen = {};
  expect(await reason(known, { code: await code() }, "North", false, seen)).toBe("yes");
  seen[made[0]!.ticket] = { "": { inside: true, at: "2026-11-27T19:42:07Z", door: "North" } };
  expect(await known.decide({ code: printed }, "North", false, seen, now)).toMatchObject({ passed: false, reason: "used", used: { door: "North" } });
  const before = await house({}, { inside: { "": { inside: true, at: "2026-11-27T19:00:00Z", door: "South" } } });
  expect(await reason(before, { code: await code() })).toBe("used");
});

test("it refuses what the server refuses", async () => {
  const known = await house();
  const good = await code();
  expect(await reason(known, { code: "https://example.org" })).toBe("foreign");
  expect(await reason(known, { code: "RT2AAAA" })).toBe("code-version");
  expect(await reason(known, { code: "B".repeat(32) })).toBe("unknown");
  expect(await reason(known, { code: made[1]!.phone })).toBe("unknown");
  expect(await reason(known, { code: good.slice(0, 70) + (good[70] === "A" ? "B" : "A") + good.slice(71) })).toBe("forged");
  expect(await reason(known, { code: await code(0, 7) })).toBe("old-holder");
  expect(await known.decide({ code: await code(600_000) }, "North", false, {}, now)).toMatchObject({ reason: "clock", off: 600 });
  expect(await reason(known, { code: await code(15_000) })).toBe("yes");
  expect(await reason(known, { code: good }, "Lounge")).toBe("wrong-zone");
  expect(await reason(known, { code: good }, "Nowhere")).toBe("door-unknown");
  expect(await reason(known, { code: good }, "North", true)).toBe("no-reentry");
  expect(await reason(await house({ printed: false }), { code: printed })).toBe("printed-not-allowed");
  expect(await reason(await house({}, { state: "unpaid" }), { code: good })).toBe("unpaid");
  expect(await reason(await house({}, { state: "blocked" }), { ticket: made[0]!.ticket })).toBe("disputed");
});

test("who went out comes in again where that is allowed", async () => {
  const known = await house({ reentry: true });
  const good = await code();
  const at = (inside: boolean): Seen => ({ [made[0]!.ticket]: { "": { inside, at: "2026-11-27T19:30:00Z", door: "North" } } });
  expect(await reason(known, { code: good }, "North", true)).toBe("not-inside");
  expect(await reason(known, { code: good }, "North", true, at(true))).toBe("yes");
  expect(await reason(known, { code: good }, "North", false, at(false))).toBe("yes");
  expect(await reason(known, { code: good }, "North", false, at(true))).toBe("used");
});

test("who went out stays out where that is the rule, also if it was another before", async () => {
  const seen: Seen = { [made[0]!.ticket]: { "": { inside: false, at: "2026-11-27T19:30:00Z", door: "North" } } };
  expect(await reason(await house({ reentry: false }), { code: await code() }, "North", false, seen)).toBe("used");
});

test("each zone is entered once, by whose section or tier may pass", async () => {
  const known = await house({ reentry: false }, { tier: "Balcony" });
  const good = await code();
  const seen: Seen = {};
  enter(seen, made[0]!.ticket, "", { inside: true, at: "2026-11-27T19:40:00Z", door: "North" });
  expect(await reason(known, { code: good }, "North", false, seen)).toBe("used");
  expect(await known.decide({ code: good }, "Lounge", false, seen, now)).toMatchObject({ passed: true, zone: "Lounge" });
  enter(seen, made[0]!.ticket, "Lounge", { inside: true, at: "2026-11-27T19:41:00Z", door: "Lounge" });
  expect(await known.decide({ code: good }, "Lounge", false, seen, now)).toMatchObject({ reason: "used", used: { door: "Lounge" } });
  const section = await house({ doors: [{ name: "North", areas: ["Left"] }, { name: "South", areas: ["Right"] }] });
  expect(await reason(section, { code: good }, "North")).toBe("yes");
  expect(await reason(section, { code: good }, "South")).toBe("wrong-zone");
});

test("what is taken back is as if it had not been, in its zone alone", async () => {
  const known = await house({ reentry: true, doors: [{ name: "North" }, { name: "Lounge", zone: "Lounge" }] });
  const good = await code();
  const [ticket, seen]: [string, Seen] = [made[0]!.ticket, {}];
  const came = { inside: true, at: "2026-11-27T19:30:00Z", door: "North" };
  const went = { ...came, inside: false, at: "2026-11-27T19:31:00Z" };
  const lounge = { inside: true, at: "2026-11-27T19:32:00Z", door: "Lounge" };
  expect(enter(seen, ticket, "", came)).toBeUndefined();
  expect(enter(seen, ticket, "", went)).toBe(came);
  enter(seen, ticket, "Lounge", lounge);
  takeBack(seen, ticket, "", came, undefined); // another has followed
  expect(seen[ticket]![""]).toBe(went);
  expect(await reason(known, { code: good }, "North", false, seen)).toBe("yes");
  takeBack(seen, ticket, "Lounge", lounge, undefined);
  expect(await reason(known, { code: good }, "Lounge", false, seen)).toBe("yes");
  takeBack(seen, ticket, "", went, came);
  expect(await reason(known, { code: good }, "North", false, seen)).toBe("used");
  takeBack(seen, ticket, "", came, undefined);
  expect(await reason(known, { code: good }, "North", false, seen)).toBe("yes");
});

test("a door is read as it was typed", () => {
  const door = { name: "Lounge", zone: "Lounge", areas: ["Balcony", "Box 2"] };
  expect(lineOf(door)).toEqual({ name: "Lounge", zone: "Lounge", areas: "Balcony, Box 2" });
  expect(doorOf(lineOf(door))).toEqual(door);
  expect(doorOf({ name: " North ", zone: " ", areas: " , " })).toEqual({ name: "North" });
  expect(doorOf({ name: "South", zone: "", areas: "Left,, Right ," })).toEqual({ name: "South", areas: ["Left", "Right"] });
});

test("a list is believed that we have signed, for this performance", async () => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const list = JSON.stringify((await house()).list);
  const signature = base64(new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, new TextEncoder().encode(list))));
  const signed = { version: "1.7", key_id: "abcd", signature, list };
  const keys = { abcd: base64(raw.slice(1)) };
  expect((await opened(signed, keys, "p1"))?.list.tickets.length).toBe(1);
  expect(await opened({ ...signed, list: list.replace("valid", "Valid") }, keys, "p1")).toBeUndefined();
  expect(await opened({ ...signed, key_id: "ffff" }, keys, "p1")).toBeUndefined();
  expect(await opened(signed, keys, "p2")).toBeUndefined();
});
