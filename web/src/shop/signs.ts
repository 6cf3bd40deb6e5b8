import { type SeatMark, seatMarks } from "./seats";

const disc = "M-7.5 0a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0Z";

/** The shape of a free seat that somebody has to know more of, as the path of an SVG, filled by the even-odd rule: none looks like another state. */
export const signs: Record<SeatMark, string> = {
  accessible: `${disc}M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3Z`, // a cross cut out
  companion: `${disc}M-1.5-4.5h3v9h-3Z`, // a bar
  restricted: "M-7.5 0a7.5 7.5 0 0 1 15 0Z", // half a seat for half a view
};

export const signRadius = 7.5;

/** The first of its marks decides. */
export function signOf(marks: SeatMark[]): SeatMark | undefined {
  return seatMarks.find((mark) => marks.includes(mark));
}
