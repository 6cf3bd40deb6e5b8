import { expect, test } from "vitest";
import { Acting } from "./acting";

class Clerk extends Acting {
  do(action: () => Promise<void>): Promise<void> {
    return this.act(action);
  }

  protected explain(cause: unknown): void {
    this.problem = String(cause);
  }
}

test("one thing is done at a time, and what it left is said until the next", async () => {
  const seen: boolean[] = [];
  const clerk: Clerk = new Clerk(() => seen.push(clerk.busy));
  let finish = () => {};
  let done = 0;
  const first = clerk.do(() => new Promise<void>((resolve) => (finish = resolve)).then(() => void done++));
  await clerk.do(async () => void done++); // pressed twice
  expect([done, clerk.busy]).toEqual([0, true]);
  finish();
  await first;
  expect([done, clerk.busy, seen]).toEqual([1, false, [true, false]]);

  await clerk.do(() => Promise.reject("no"));
  expect([clerk.problem, clerk.busy]).toEqual(["no", false]);
  clerk.notice = "well";
  await clerk.do(async () => expect([clerk.problem, clerk.notice]).toEqual(["", ""]));
  expect(clerk.problem).toBe("");
});
