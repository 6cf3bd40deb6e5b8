import { expect, test } from "vitest";
import elsewhere from "../../../edge/wire/testdata/elsewhere.json";
import active from "../../../edge/wire/testdata/active.json";
import lobby from "../../../edge/wire/testdata/lobby.json";
import offered from "../../../edge/wire/testdata/offered.json";
import over from "../../../edge/wire/testdata/over.json";
import paused from "../../../edge/wire/testdata/paused.json";
import reentry from "../../../edge/wire/testdata/reentry.json";
import sale from "../../../edge/wire/testdata/sale.json";
import waiting from "../../../edge/wire/testdata/waiting.json";
import type { Phase, PlaceState, Sale, Status } from "../api/documents";
import { Refusal } from "../api/http";
import { type Known, progress, type Scene, sceneOf } from "./scene";

const known = (more: Partial<Known>): Known => ({ link: "live", left: false, offline: false, ...more });
const golden = (document: { state: string; sale: { phase: string } }, phase?: Phase): Status =>
  ({ ...document, sale: { ...document.sale, phase: phase ?? document.sale.phase } }) as Status;

test.each<[string, Status, Scene]>([
  ["lobby.json", golden(lobby), "lobby"],
  ["lobby.json while the order is drawn", golden(lobby, "drawing"), "drawing"],
  ["lobby.json just after the draw", golden(lobby, "open"), "drawing"],
  ["lobby.json of a sale that is over", golden(lobby, "ended"), "ended"],
  ["waiting.json", golden(waiting), "waiting"],
  ["waiting.json of a sale that is over", golden(waiting, "ended"), "ended"],
  ["paused.json", golden(paused), "waiting"],
  ["offered.json", golden(offered), "offered"],
  ["active.json", golden(active), "active"],
  ["elsewhere.json", golden(elsewhere), "elsewhere"],
  ["elsewhere.json of a place that is over", { ...golden(elsewhere), state: "done" }, "done"],
  ["over.json", golden(over), "expired"],
  ["reentry.json", golden(reentry), "done"],
])("%s", (_name, status, scene) => {
  expect(sceneOf(known({ status }))).toBe(scene);
});

test.each<PlaceState>(["left", "done", "expired"])("the final state %s has a scene of its own", (state) => {
  expect(sceneOf(known({ status: { ...golden(over), state } }))).toBe(state);
});

test.each<[number, string, Scene]>([
  [404, "sale-unknown", "unknown"],
  [404, "", "unknown"],
  [410, "sale-ended", "ended"],
  [410, "place-gone", "gone"],
  [401, "place-ticket-invalid", "gone"],
  [429, "rate-limited", "failed"],
  [503, "store-away", "failed"],
])("refusal %i %s", (status, code, scene) => {
  expect(sceneOf(known({ refusal: new Refusal(status, code, "", undefined) }))).toBe(scene);
});

test("nothing known yet, offline, and left", () => {
  expect(sceneOf(known({}))).toBe("joining");
  expect(sceneOf(known({ offline: true }))).toBe("failed");
  expect(sceneOf(known({ left: true, status: golden(waiting) }))).toBe("left");
});

test("the documents carry what the scenes draw", () => {
  expect(golden(waiting)).toMatchObject({ position: 812, wait: { low: 180, high: 330 }, epoch: expect.any(String) });
  expect(golden(paused).sale).toMatchObject({ paused: true, reason: "The band asked for ten minutes." });
  expect(Date.parse(golden(offered).offer!.claim_by)).toBeGreaterThan(Date.parse(golden(offered).sale.now));
  expect(golden(active).session?.ends_at).toBeDefined();
  expect(golden(lobby).next_contact).toBe(5);
  expect(sale as Sale).toMatchObject({ title: expect.any(String), claim_window: 60, units_per_hold: 6, performances: [expect.any(String)] });
});

test("progress is a share and never leaves 0 to 1", () => {
  expect([progress(100, 100), progress(100, 25), progress(100, 0), progress(100, 140), progress(0, 0)]).toEqual([0, 0.75, 1, 0, 1]);
});
