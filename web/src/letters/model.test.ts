import { expect, test } from "vitest";
import { Faulty } from "../api/files";
import { Refusal } from "../api/http";
import { letters as words } from "../messages/en";
import { faultsOf } from "./model";

test("a refusal says at which field", () => {
  const refused = new Faulty([422, "wording-invalid", "No {buyer}.", undefined], [{ detail: "No {buyer}.", pointer: "/text" }, { detail: "Elsewhere.", pointer: "/other" }]);
  expect(faultsOf(refused)).toEqual({ text: "No {buyer}." });
  expect(faultsOf(new Refusal(422, "reason-invalid", "", undefined))).toEqual({ reason: words.edit.noReason });
  expect(faultsOf(new Refusal(412, "changed-meanwhile", "", undefined))).toEqual({});
  expect(faultsOf(new Error("away"))).toEqual({});
});
