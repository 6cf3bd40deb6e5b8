import assert from "node:assert/strict";
import { venues as words } from "../src/messages/en";
import { categoryOf, type Plan } from "../src/venues/plan";
import type { Fan } from "./fan";
import { fits, look, settled } from "./look";

/** A venue manager draws a small house, paints its prices with mouse and keyboard, takes something back, and keeps it; then paints it once more. */
export async function venueDraw(fan: Fan): Promise<void> {
  const { context, stack } = fan;
  const desk = await context.newPage();
  desk.on("dialog", (dialog) => void dialog.accept()); // whoever leaves with something unsaved is asked
  await desk.goto(`${stack.url}/desk/venues?draw=1#key=${stack.staffKey}`);
  const draw = words.draw;
  const form = (name: string) => desk.locator("form", { has: desk.getByRole("button", { name, exact: true }) });
  const section = form(draw.section.add);
  await section.waitFor();
  await section.getByLabel(draw.section.name).fill("Stalls");
  await section.getByLabel(draw.category).fill("Best");
  await section.getByLabel(draw.section.rows).fill("6");
  await section.getByLabel(draw.section.seats).fill("16");
  await section.getByLabel(draw.section.aisle).fill("8");
  await section.getByLabel(draw.section.bend).fill("3");
  await section.getByRole("button").click();
  await desk.getByText(draw.section.added("Stalls", 96)).waitFor();
  await section.getByRole("button").click();
  await desk.getByText(draw.taken("Stalls")).waitFor();
  await section.getByLabel(draw.section.name).fill("Circle");
  await section.getByLabel(draw.section.firstRow).fill("1");
  await section.getByLabel(draw.section.step).selectOption("2");
  await section.getByRole("button").press("Enter");
  await desk.getByText(draw.section.added("Circle", 96)).waitFor();
  const area = form(draw.area.add);
  await area.getByLabel(draw.area.name).fill("Pit");
  await area.getByLabel(draw.category).fill("Standing");
  await area.getByRole("button").click();
  await desk.getByText(draw.area.added("Pit", 100)).waitFor();

  // Names, as everything else, are checked when it is kept, and lead to where they are.
  const paint = desk.locator(".paint");
  await paint.getByLabel(draw.paint.category).fill("Cheap");
  await paint.getByRole("button", { name: draw.paint.add, exact: true }).click();
  const save = desk.getByRole("button", { name: draw.save.fresh });
  await save.click();
  await desk.getByText(draw.nameMissing).waitFor();
  await desk.getByLabel(draw.name, { exact: true }).fill("Corner House");
  await save.click();
  await desk.locator(".faults").getByText('category "Cheap": no seat and no area has it').waitFor();
  await look(desk, "venue-drawn");

  // With the keyboard: a row, and single seats of another.
  const parts = desk.locator(".list-of-parts");
  await parts.getByRole("button", { name: draw.of(draw.rows, "Circle") }).press("Enter");
  await parts.getByLabel(draw.rowHas("6", 16)).press("Space");
  await desk.getByText(draw.chosen(16)).first().waitFor();
  await parts.locator("summary", { hasText: draw.seats("1") }).press("Enter");
  await parts.getByRole("button", { name: /^Circle, row 1, seat 31,/ }).press("Enter");
  await paint.getByRole("button", { name: draw.paint.with("Cheap") }).press("Enter");
  await desk.getByText(draw.painted(17, "Cheap")).waitFor();
  await look(desk, "venue-list", parts);

  // With the mouse: a box over the left half of everything, of which half is taken back by a loop.
  await desk.getByRole("button", { name: draw.chooseNone }).click();
  await desk.getByLabel(draw.tools.box).check();
  await desk.locator("canvas").scrollIntoViewIfNeeded();
  const box = (await desk.locator("canvas").boundingBox())!;
  const drag = async (...path: [number, number][]) => {
    await settled(desk); // the canvas has the tool a moment after it was taken
    const [first, ...rest] = path.map(([x, y]) => [box.x + box.width * x, box.y + box.height * y] as const);
    await desk.mouse.move(...first!);
    await desk.mouse.down();
    for (const point of rest) await desk.mouse.move(...point, { steps: 5 });
    await desk.mouse.up();
    await settled(desk);
  };
  await drag([0.01, 0.01], [0.5, 0.99]);
  await desk.getByText(draw.chosen(96)).first().waitFor();
  await desk.getByLabel(draw.out).check();
  await desk.getByLabel(draw.tools.lasso).check();
  await drag([0.01, 0.01], [0.99, 0.01], [0.99, 0.99], [0.01, 0.99]);
  await desk.getByText(draw.chosen(0)).first().waitFor();
  await desk.getByLabel(draw.out).uncheck();
  await desk.getByLabel(draw.tools.box).check();
  await drag([0.5, 0.01], [0.99, 0.99]);
  await desk.getByText(draw.chosen(96)).first().waitFor();
  await look(desk, "venue-chosen");
  await desk.getByRole("button", { name: draw.mark.restricted, exact: true }).click();
  await desk.getByText(draw.marked(96, "restricted")).waitFor();
  await desk.keyboard.press("Control+z");
  await desk.getByText(draw.undone).waitFor();

  // Stalls are moved, by the mouse and by numbers.
  const place = parts.locator("li", { hasText: "Stalls" }).first().locator(".place");
  await place.getByLabel(draw.aim).check();
  await desk.getByLabel(draw.tools.move).check();
  await desk.locator("canvas").scrollIntoViewIfNeeded();
  await drag([0.5, 0.5], [0.5, 0.45]);
  await place.getByLabel(draw.right).fill("2");
  await place.getByRole("button", { name: draw.of(draw.move, "Stalls"), exact: true }).press("Enter");
  await desk.getByText(draw.moved("Stalls")).waitFor();
  await fits(desk);

  await save.click();
  await desk.waitForURL(/\?venue=/);
  const venue = new URL(desk.url()).searchParams.get("venue")!;
  const kept = async (): Promise<Plan> => (await desk.request.get(`${stack.url}/api/v1/organizer/venues/${venue}`)).json();
  const plan = await kept();
  assert.equal(plan.name, "Corner House");
  assert.deepEqual(painted(plan), { Best: 175, Cheap: 17 });
  assert.deepEqual(plan.areas.map((each) => [each.name, each.category, each.places]), [["Pit", "Standing", 100]]);
  assert.ok(!JSON.stringify(plan).includes("restricted"), "what was undone is not there");
  assert.equal(plan.sections[1]!.rows[0]!.seats.map((seat) => seat.name).join(" "), "1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31");
  assert.equal(plan.sections[0]!.rows[0]!.seats[0]!.x, -6, "half of sixteen seats and an aisle, moved by two");

  // The next version: the circle is cheap. Somebody else has kept another one meanwhile, which stays.
  await desk.getByRole("link", { name: words.map.edit }).click();
  await desk.locator(".list-of-parts").waitFor();
  const other = await desk.request.put(`${stack.url}/api/v1/organizer/venues/${venue}?reason=theirs`, { data: { ...plan, name: "Corner House 2" }, headers: { "If-Match": '"1"', Origin: stack.url } });
  assert.equal(other.status(), 200, await other.text());
  await desk.locator(".list-of-parts").getByLabel(draw.sectionHas("Circle", 6, 96)).check();
  await desk.getByRole("button", { name: draw.paint.with("Cheap") }).click();
  await desk.getByLabel(words.file.reason).fill("nobody sees much there");
  await desk.getByRole("button", { name: draw.save.next }).click();
  await desk.getByRole("button", { name: draw.follow }).click();
  await desk.getByText(draw.follows(2)).waitFor();
  await desk.getByRole("button", { name: draw.save.next }).click();
  await desk.getByRole("heading", { name: "Corner House", exact: true }).waitFor();
  await desk.locator(".trail").getByText("theirs").waitFor();
  assert.deepEqual(painted(await kept()), { Best: 96, Cheap: 96 });
  await desk.locator(".trail").getByText("nobody sees much there").waitFor();
  await desk.close();
}

function painted(plan: Plan): Record<string, number> {
  const found: Record<string, number> = {};
  for (const section of plan.sections) for (const row of section.rows) for (const seat of row.seats) found[categoryOf(section, row, seat)] = (found[categoryOf(section, row, seat)] ?? 0) + 1;
  return found;
}
