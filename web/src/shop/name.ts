import { shop as words } from "../messages/en";
import type { Seat } from "./seats";

/** What a seat is called, with what somebody has to know before they pay for it. */
export function seatName(seat: Seat): string {
  return [words.seat(seat.row.section, seat.row.row, seat.name), ...seat.marks.map((mark) => words.seatMark[mark])].join(", ");
}
