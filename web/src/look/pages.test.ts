import { expect, test } from "vitest";
import { type Part, upTo } from "./pages";

/** Seven things, three a page; it notes where it was asked to begin. */
function shelf() {
  const asked: string[] = [];
  const read = async (cursor: string): Promise<Part<number>> => {
    asked.push(cursor);
    const from = Number(cursor || "0");
    return { list: [0, 1, 2].map((n) => from + n).filter((n) => n < 7), next: from + 3 < 7 ? String(from + 3) : undefined };
  };
  return { asked, read };
}

test("a list is read as far as somebody has come, and says where it goes on", async () => {
  const { asked, read } = shelf();
  expect(await upTo(1, read, () => false)).toEqual({ list: [0, 1, 2], next: "3" });
  expect(await upTo(2, read, () => false)).toEqual({ list: [0, 1, 2, 3, 4, 5], next: "6" });
  expect(asked).toEqual(["", "", "3"]);
});

test("a list that has come to its end is asked for no more of", async () => {
  const { asked, read } = shelf();
  expect(await upTo(9, read, () => false)).toEqual({ list: [0, 1, 2, 3, 4, 5, 6], next: "" });
  expect(asked).toEqual(["", "3", "6"]);
  expect(await upTo(2, async () => ({ list: [], next: undefined }), () => false)).toEqual({ list: [], next: "" });
});

test("what is not shown any more is not read on", async () => {
  const { asked, read } = shelf();
  expect(await upTo(3, read, () => asked.length === 2)).toBeUndefined();
  expect(asked).toEqual(["", "3"]);
});
