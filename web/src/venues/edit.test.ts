import { expect, test } from "vitest";
import { addArea, addCategory, addSection, aisle, type Block, Edits, inBox, inLasso, letters, lettersOf, mark, move, paint, rowName } from "./edit";
import { categoryOf, emptyPlan, houseOf, type Plan } from "./plan";

const block: Block = { name: "Left", category: "A", rows: 3, seats: 4, firstRow: "Y", firstSeat: 1, step: 2, from: "left", aisle: 2, bend: 0.5 };
const hall = addSection(addCategory(addCategory(emptyPlan("Hall"), "A"), "B"), block);
const units = (...of: number[]) => new Set(of);
const painted = (plan: Plan) => plan.sections.flatMap((section) => section.rows.flatMap((row) => row.seats.map((seat) => categoryOf(section, row, seat)))).join("");

test("rows go on in letters or in numbers", () => {
  expect([0, 25, 26, 701, 702].map(letters)).toEqual(["A", "Z", "AA", "ZZ", "AAA"]);
  for (const n of [0, 1, 25, 26, 27, 51, 52, 700, 701, 702, 800]) expect(lettersOf(letters(n))).toBe(n);
  expect([0, 1, 2].map((i) => rowName("Y", i))).toEqual(["Y", "Z", "AA"]);
  expect([0, 1, 2].map((i) => rowName("9", i))).toEqual(["9", "10", "11"]);
  expect([0, 1].map((i) => rowName("Box 1", i))).toEqual(["Box 1", ""]);
});

test("a section is drawn with its numbers, its aisle and its bend, below what is there", () => {
  const rows = hall.sections[0]!.rows;
  expect(rows.map((row) => row.name)).toEqual(["Y", "Z", "AA"]);
  expect(rows[0]!.seats.map((seat) => seat.name)).toEqual(["1", "3", "5", "7"]);
  expect(rows[0]!.seats.map((seat) => seat.x)).toEqual([-2, -1, 1, 2]);
  expect(rows[0]!.seats.map((seat) => seat.aisle)).toEqual([undefined, undefined, true, undefined]);
  expect(rows[0]!.seats.map((seat) => seat.y)).toEqual([-0.5, -0.125, -0.125, -0.5]);
  expect(rows.map((row) => row.rank)).toEqual([undefined, 1, 2]);
  const right = addSection(hall, { ...block, name: "Right", from: "right", step: 1, aisle: 0, bend: 0 }).sections[1]!;
  expect(right.rows[0]!.seats.map((seat) => seat.name)).toEqual(["4", "3", "2", "1"]);
  expect(right.rows[0]!.seats[0]!.y).toBeGreaterThan(rows[2]!.seats[1]!.y + 2.5);
});

test("what is painted is what has the category, and nothing else, however it is written", () => {
  let plan = paint(hall, units(1, 2, 4, 5, 6, 7), "B");
  expect(painted(plan)).toBe("ABBABBBBAAAA");
  expect(plan.sections[0]!.rows[1]).toMatchObject({ category: "B" });
  expect(plan.sections[0]!.rows[1]!.seats.some((seat) => "category" in seat)).toBe(false);
  plan = paint(plan, units(5), "A");
  expect(painted(plan)).toBe("ABBABABBAAAA");
  plan = paint(plan, units(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), "B");
  expect(painted(plan)).toBe("B".repeat(12));
  expect(plan.sections[0]).toMatchObject({ category: "B" });
  expect(JSON.stringify(plan.sections[0]!.rows)).not.toContain("category");
  expect(plan.sections[0]!.rows[2]!.rank).toBe(2);
});

test("painting at random agrees with a plain list of what each seat has", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  let plan = addSection(addCategory(hall, "C"), { ...block, name: "Right", rows: 2, category: "B" });
  const model = [..."AAAAAAAAAAAABBBBBBBB"];
  for (let i = 0; i < 300; i++) {
    const [from, length, category] = [random(20), 1 + random(8), "ABC"[random(3)]!];
    const chosen = Array.from({ length }, (_, k) => (from + k) % 20);
    plan = paint(plan, new Set(chosen), category);
    for (const unit of chosen) model[unit] = category;
    expect(painted(plan)).toBe(model.join(""));
  }
});

test("a wheelchair's place is no companion's, and no aisle is before the first seat", () => {
  let plan = mark(hall, units(0, 1), "accessible", true);
  plan = mark(plan, units(1), "companion", true);
  plan = mark(plan, units(1), "restricted", true);
  const [first, second] = plan.sections[0]!.rows[0]!.seats;
  expect(first).toEqual({ name: "1", x: -2, y: -0.5, accessible: true });
  expect(second).toEqual({ name: "3", x: -1, y: -0.125, companion: true, restricted: true });
  expect(mark(plan, units(1), "restricted", false).sections[0]!.rows[0]!.seats[1]).toEqual({ name: "3", x: -1, y: -0.125, companion: true });
  plan = aisle(plan, units(4, 5), true);
  expect(plan.sections[0]!.rows[1]!.seats.map((seat) => seat.aisle ?? false)).toEqual([false, true, true, false]);
  expect(plan.sections[0]!.rows[0]).toBe(plan.sections[0]!.rows[0]);
});

test("a box and a lasso take what is in them, whichever way they are drawn", () => {
  const { seats } = houseOf(move(hall, { section: 0 }, 10, 0)).chart;
  expect(inBox(seats, { x: 12.5, y: 1 }, { x: 10.5, y: -1 })).toEqual([2, 3, 6, 7]);
  const triangle = [{ x: 7, y: -2 }, { x: 7, y: 3 }, { x: 10, y: -2 }];
  expect(inLasso(seats, triangle)).toEqual([0, 4]);
  expect(inLasso(seats, [...triangle].reverse())).toEqual([0, 4]);
  expect(inLasso(seats, [])).toEqual([]);
});

test("edits are undone and done again, and share what they leave alone", () => {
  const wide = addSection(hall, { ...block, name: "Right" });
  const edits = new Edits(wide);
  edits.make(paint(wide, units(0), "B"));
  expect(edits.plan.sections[1]).toBe(wide.sections[1]);
  edits.make(addArea(edits.plan, { name: "Floor", category: "B", places: 9, width: 4, height: 2 }));
  edits.undo();
  edits.undo();
  expect(edits.plan).toBe(wide);
  expect([edits.undoable, edits.redoable]).toEqual([false, true]);
  edits.redo();
  expect(painted(edits.plan)[0]).toBe("B");
  edits.make(move(edits.plan, { section: 0 }, 1, 1));
  expect(edits.redoable).toBe(false);
});

test("a house counts what it has of each category", () => {
  const plan = addArea(paint(hall, units(0), "B"), { name: "Floor", category: "B", places: 9, width: 4, height: 2 });
  const house = houseOf(plan);
  expect(house.counts).toEqual([
    { category: "A", seats: 11, places: 0 },
    { category: "B", seats: 1, places: 9 },
  ]);
  expect(house.units).toBe(21);
  expect(house.spans[0]!.rows[2]).toEqual({ first: 8, count: 4 });
  const { box } = house.chart;
  expect(box.left).toBeLessThanOrEqual(-3);
  expect(house.chart.areas[0]!.top + 2).toBeLessThanOrEqual(box.top + box.height);
});
