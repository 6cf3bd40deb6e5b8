import { expect, test } from "vitest";
import { fit, pan, toMap, zoom } from "./view";

const box = { left: -10, top: 0, width: 20, height: 10 };
const size = { width: 400, height: 400 };

test("the whole map fits and is in the middle", () => {
  expect(fit(box, size)).toEqual({ scale: 20, x: 200, y: 100 });
});

test("what is under the finger stays there", () => {
  const at = [200, 200] as const;
  const before = toMap(fit(box, size), ...at);
  const after = toMap(zoom(fit(box, size), 3, ...at, box, size, 100), ...at);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});

test("zoom is bounded by the whole and by the most", () => {
  expect(zoom(fit(box, size), 0.1, 0, 0, box, size, 100)).toEqual(fit(box, size));
  expect(zoom(fit(box, size), 1000, 0, 0, box, size, 100).scale).toBe(100);
});

test("the map cannot be dragged out of the window", () => {
  const close = zoom(fit(box, size), 4, 200, 200, box, size, 100);
  const moved = pan(close, 1e6, 1e6, box, size);
  expect(toMap(moved, 0, 0)).toEqual({ x: box.left, y: box.top });
  expect(pan(fit(box, size), 50, 50, box, size)).toEqual(fit(box, size));
});
