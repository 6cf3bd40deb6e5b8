// Times by the clocks of a place: 2027-03-27T20:00 in Europe/Lisbon. The server reads them
// in the same way (booking.At): a time that clocks show twice is the first of the two.

export interface Instant {
  at: Date;
  /** The clocks show it twice that day: they go back. */
  twice: boolean;
}

/** What the clocks of a zone show, as 2027-03-27T20:00. */
export function shown(at: Date, zone: string): string {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;

/** When a zone's clocks show a time; undefined where it is no time, "skipped" if they go forward over it. */
export function instant(local: string, zone: string): Instant | "skipped" | undefined {
  const wall = form.test(local) ? Date.parse(`${local}Z`) : NaN;
  if (Number.isNaN(wall)) return undefined;
  // The offset is that of a day before or of a day after: no zone changes twice in two days.
  const offsets = [-1, 1].map((day) => {
    const near = wall + day * 86_400_000;
    return Date.parse(`${shown(new Date(near), zone)}Z`) - near;
  });
  const times = [...new Set(offsets.map((offset) => wall - offset))].filter((at) => shown(new Date(at), zone) === local).sort((a, b) => a - b);
  const first = times[0];
  return first === undefined ? "skipped" : { at: new Date(first), twice: times.length > 1 };
}

/** How a zone is ahead of UTC at a time, as GMT+1. */
export function offset(at: Date, zone: string, language: string): string {
  const parts = new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(at);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}
