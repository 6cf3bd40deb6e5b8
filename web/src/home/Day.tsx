import { language } from "../messages/format";

/** A day as a leaf of a calendar, by the clocks where it is. What stands beside it says it in full. */
export function Day({ at, zone }: { at: string; zone: string }) {
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language(), { ...options, timeZone: zone }).format(new Date(at));
  return (
    <span class="day" aria-hidden="true">
      <span>{part({ weekday: "short" })}</span>
      <b>{part({ day: "numeric" })}</b>
      <span>{part({ month: "short" })}</span>
    </span>
  );
}
