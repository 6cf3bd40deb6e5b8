// What is typed of a sale, as unfinished as it is, and the program that comes of it. What
// is wrong is said at its field, in the page's words, before a server is asked.

import type { Lane, MadeProgram, Program, Reserve, VenueMap } from "../api/setup";
import { setup as words } from "../messages/en";
import { count } from "../messages/format";
import { instant } from "./zone";

export const steps = ["show", "dates", "prices", "sale", "open"] as const;
export type Step = (typeof steps)[number];

/** Times are as a field of a time has them: 2027-03-27T20:00. */
export interface Night {
  venue: string;
  starts: string;
  doors: string;
  ends: string;
  /** By category, as typed, where they are not those of the venue. */
  prices?: Record<string, string> | undefined;
}

/** Places that come on sale later. night is the number of one, "" of all. */
export interface Batch {
  night: string;
  /** A section's or an area's name. */
  part: string;
  places: string;
  at: string;
}

export interface Draft {
  format: 1;
  currency: string;
  nights: Night[];
  /** By venue, then by category: as typed. */
  prices: Record<string, Record<string, string>>;
  batches: Batch[];
  id: string;
  title: string;
  zone: string;
  lobbyCloses: string;
  opens: string;
  ends: string;
  cap: string;
  rate: string;
  perOrder: string;
  perPerson: string;
  /** Minutes. */
  hold: string;
  party: string;
  /** Minutes. */
  notice: string;
  visitor: "" | "browser" | "invitation" | "account";
  laneTitle: string;
  laneShare: string;
  laneEntry: Lane["entry"][number];
  /** Days before the start; "": nobody may. */
  refundDays: string;
  /** Percent. */
  refundKeep: string;
  /** Days before the start until which tickets may be given to others; empty: they may not. */
  transferDays: string;
  /** How often a ticket may change hands; empty: as often as its holders like. */
  transferTimes: string;
  /** Whether tickets bear names. */
  names: "" | "on";
  /** Days before the start until which a name may be changed; empty: once it is said it stays. */
  nameDays: string;
  tax: string;
}

export const blank = (title: string): Draft => ({
  format: 1,
  currency: "EUR",
  nights: [{ venue: "", starts: "", doors: "", ends: "" }],
  prices: {},
  batches: [],
  id: slugOf(title),
  title,
  zone: "",
  lobbyCloses: "",
  opens: "",
  ends: "",
  cap: "200",
  rate: "600",
  perOrder: "6",
  perPerson: "",
  hold: "10",
  party: "",
  notice: "10",
  visitor: "browser",
  laneTitle: "",
  laneShare: "30",
  laneEntry: "code",
  refundDays: "",
  refundKeep: "0",
  transferDays: "",
  transferTimes: "",
  names: "",
  nameDays: "",
  tax: "",
});

/** A draft of another version of the page has what this one knows. */
export function draftOf(document: unknown, title: string): Draft {
  const kept = typeof document === "object" && document !== null ? (document as Partial<Draft>) : {};
  return { ...blank(title), ...kept, format: 1 };
}

/** Without a night, and what comes on sale later of it; the others' numbers change. */
export const without = (d: Draft, i: number): Pick<Draft, "nights" | "batches"> => ({
  nights: d.nights.filter((_, n) => n !== i),
  batches: d.batches.flatMap((batch) => (batch.night === String(i) ? [] : [{ ...batch, night: batch.night !== "" && Number(batch.night) > i ? String(Number(batch.night) - 1) : batch.night }])),
});

/** The address of a sale: lower-case letters, digits and hyphens. */
export const slugOf = (title: string) =>
  title
    .normalize("NFD")
    .replace(/\p{M}/gu, "") // accents
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 60)
    .replace(/^-+|-+$/g, "");

/** What is known of a venue that something is played in. */
export interface Venue {
  id: string;
  name: string;
  zone: string;
  categories: { name: string; places: number }[];
  parts: { name: string; category: string; places: number; area: boolean }[];
}

export function venueOf(id: string, zone: string, map: VenueMap): Venue {
  const of = new Map(map.categories.map((name) => [name, 0]));
  const add = (category: string, n: number) => of.set(category, (of.get(category) ?? 0) + n);
  const parts: Venue["parts"] = [];
  for (const section of map.sections ?? []) {
    let places = 0;
    for (const row of section.rows) {
      for (const seat of row.seats) add(seat.category ?? row.category ?? section.category, 1);
      places += row.seats.length;
    }
    parts.push({ name: section.name, category: section.category, places, area: false });
  }
  for (const area of map.areas ?? []) {
    add(area.category, area.places);
    parts.push({ name: area.name, category: area.category, places: area.places, area: true });
  }
  return { id, name: map.name, zone, categories: [...of].map(([name, places]) => ({ name, places })), parts };
}

/** Minor units of what somebody typed: 45, 45.5 or 45,50; undefined where that is no amount. */
export function minor(text: string, currency: string): number | undefined {
  if (!/^\d{1,10}([.,]\d{1,3})?$/.test(text.trim())) return undefined;
  const digits = digitsOf(currency);
  const [whole = "", part = ""] = text.trim().split(/[.,]/);
  if (part.length > digits) return undefined;
  return Number(whole + part.padEnd(digits, "0"));
}

function digitsOf(currency: string): number {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2; // what is typed is no currency yet
  }
}

const whole = (text: string, least: number, most: number) => {
  const n = /^\d{1,9}$/.test(text.trim()) ? Number(text) : NaN;
  return n >= least && n <= most ? n : undefined;
};

/** What is wrong, by the names of fields. */
export type Faults = Record<string, string>;

export interface Known {
  venues: ReadonlyMap<string, Venue>;
  now: Date;
}

/** Of one step. */
export function faultsOf(step: Step, d: Draft, known: Known): Faults {
  switch (step) {
    case "dates":
      return ofDates(d, known);
    case "prices":
      return ofPrices(d, known);
    case "sale":
      return ofSale(d, known);
    default:
      return {};
  }
}

function ofDates(d: Draft, { venues }: Known): Faults {
  const wrong: Faults = {};
  if (d.nights.length === 0) wrong.nights = words.wrong.noNight;
  d.nights.forEach((night, i) => {
    const zone = venues.get(night.venue)?.zone;
    if (night.venue === "") wrong[`venue-${i}`] = words.wrong.venue;
    if (night.starts === "") wrong[`starts-${i}`] = words.wrong.missing;
    if (zone === undefined) return;
    const [starts, doors, ends] = [night.starts, night.doors, night.ends].map((text) => instant(text, zone));
    for (const [name, text, at] of [["starts", night.starts, starts], ["doors", night.doors, doors], ["ends", night.ends, ends]] as const) {
      if (at === "skipped") wrong[`${name}-${i}`] = words.wrong.skipped(zone);
      else if (at === undefined && text !== "") wrong[`${name}-${i}`] = words.wrong.time;
    }
    if (typeof starts !== "object") return;
    if (typeof doors === "object" && doors.at > starts.at) wrong[`doors-${i}`] = words.wrong.doors;
    if (typeof ends === "object" && ends.at <= starts.at) wrong[`ends-${i}`] = words.wrong.ends;
  });
  return wrong;
}

/** What a place of a category costs on a night, as typed. */
export const priceOf = (d: Draft, night: Night, category: string) => (night.prices ?? d.prices[night.venue])?.[category] ?? "";

/** The venues of all nights, each once. */
export const venuesOf = (d: Draft, venues: ReadonlyMap<string, Venue>) => [...new Set(d.nights.map((night) => night.venue))].flatMap((id) => venues.get(id) ?? []);

function ofPrices(d: Draft, { venues }: Known): Faults {
  const wrong: Faults = {};
  if (!/^[A-Z]{3}$/.test(d.currency)) wrong.currency = words.wrong.currency;
  venuesOf(d, venues).forEach((venue, v) => {
    venue.categories.forEach(({ name }, c) => {
      const asked = d.nights.some((night) => night.venue === venue.id && !night.prices);
      if (asked && minor(d.prices[venue.id]?.[name] ?? "", d.currency) === undefined) wrong[`price-${v}-${c}`] = words.wrong.price;
    });
  });
  d.nights.forEach((night, i) => {
    if (!night.prices) return;
    venues.get(night.venue)?.categories.forEach(({ name }, c) => {
      if (minor(priceOf(d, night, name), d.currency) === undefined) wrong[`own-${i}-${c}`] = words.wrong.price;
    });
  });
  d.batches.forEach((batch, i) => {
    const part = partOf(batch, d, venues);
    if (!part) wrong[`part-${i}`] = words.wrong.part;
    else if (part.area && whole(batch.places, 1, part.places) === undefined) wrong[`places-${i}`] = words.wrong.between(1, part.places);
    if (typeof instant(batch.at, zoneOf(d, venues)) !== "object") wrong[`at-${i}`] = words.wrong.time;
  });
  return wrong;
}

/** The venue that a batch is of: of all nights, that of the first that has such a part. */
export function partOf(batch: Batch, d: Draft, venues: ReadonlyMap<string, Venue>): Venue["parts"][number] | undefined {
  const nights = batch.night === "" ? d.nights : [d.nights[Number(batch.night)]];
  for (const night of nights) {
    const part = venues.get(night?.venue ?? "")?.parts.find((each) => each.name === batch.part);
    if (part) return part;
  }
  return undefined;
}

/** By whose clocks the sale opens: those that were chosen, or those of the first venue. */
export const zoneOf = (d: Draft, venues: ReadonlyMap<string, Venue>) => d.zone || venues.get(d.nights[0]?.venue ?? "")?.zone || "UTC";

function ofSale(d: Draft, { venues, now }: Known): Faults {
  const wrong: Faults = {};
  const zone = zoneOf(d, venues);
  if (d.title.trim() === "") wrong.title = words.wrong.missing;
  if (!/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(d.id)) wrong.id = words.wrong.id;
  const times = { lobbyCloses: instant(d.lobbyCloses, zone), opens: instant(d.opens, zone), ends: instant(d.ends, zone) };
  for (const [name, at] of Object.entries(times)) {
    if (at === undefined) wrong[name] = d[name as keyof typeof times] === "" ? words.wrong.missing : words.wrong.time;
    if (at === "skipped") wrong[name] = words.wrong.skipped(zone);
  }
  const { lobbyCloses, opens, ends } = times;
  if (typeof lobbyCloses === "object" && typeof opens === "object" && lobbyCloses.at >= opens.at) wrong.lobbyCloses = words.wrong.lobby;
  if (typeof opens === "object" && typeof ends === "object" && opens.at >= ends.at) wrong.ends = words.wrong.saleEnds;
  if (typeof ends === "object" && ends.at <= now) wrong.ends = words.wrong.over;
  const numbers: [keyof Draft, number, number, boolean][] = [
    ["cap", 1, 10_000_000, true],
    ["rate", 1, 10_000_000, true],
    ["perOrder", 1, 100, true],
    ["perPerson", 1, 1000, false],
    ["hold", 1, 60, true],
    ["party", 2, 10, false],
    ["notice", 1, 120, true],
    ["refundDays", 1, 365, false],
    ["refundKeep", 0, 100, true],
    ["transferDays", 1, 365, false],
    ["transferTimes", 1, 100, false],
    ["nameDays", 1, 365, false],
    ["tax", 0, 100, false],
  ];
  const unasked = new Set<keyof Draft>([...(d.refundDays === "" ? ["refundKeep" as const] : []), ...(d.transferDays === "" ? ["transferTimes" as const] : []), ...(d.names === "" ? ["nameDays" as const] : [])]);
  for (const [name, least, most, needed] of numbers) {
    if (unasked.has(name)) continue; // its field is not there to be mended
    const text = d[name] as string;
    if ((needed || text.trim() !== "") && whole(text, least, most) === undefined) wrong[name] = words.wrong.between(least, most);
  }
  if (d.perPerson !== "" && Number(d.perPerson) < Number(d.perOrder)) wrong.perPerson = words.wrong.perPerson;
  if (d.party !== "" && (d.visitor === "invitation" || d.visitor === "account")) wrong.party = words.wrong.party;
  if (d.laneTitle.trim() !== "" && whole(d.laneShare, 1, 99) === undefined) wrong.laneShare = words.wrong.between(1, 99);
  if (d.laneTitle.trim() !== "" && !laneName(d.laneTitle)) wrong.laneTitle = words.wrong.lane;
  return wrong;
}

const laneName = (title: string) => slugOf(title).slice(0, 24).replace(/-+$/, "").replace(/^main$/, "");

const iso = (text: string, zone: string) => {
  const at = instant(text, zone);
  return typeof at === "object" ? at.at.toISOString() : text;
};

/** How long a session may last: time enough to choose, to hold once and once more, and to pay. */
const sessionOf = (hold: number) => Math.max(1800, 3 * hold);

/** What comes of a draft that has no faults. */
export function programOf(d: Draft, event: string, venues: ReadonlyMap<string, Venue>): Program {
  const zone = zoneOf(d, venues);
  const hold = Number(d.hold) * 60;
  const lane = d.laneTitle.trim();
  return {
    event_id: event,
    currency: d.currency,
    tariff: {
      ...(d.tax !== "" && { tax_rate: Number(d.tax) * 100 }),
      refund: d.refundDays === "" ? {} : { before: Number(d.refundDays) * 86_400, ...(Number(d.refundKeep) > 0 && { keep_rate: Number(d.refundKeep) * 100 }) },
      exchange: {},
      ...(d.transferDays !== "" && { transfer: { before: Number(d.transferDays) * 86_400, ...(d.transferTimes !== "" && { times: Number(d.transferTimes) }) } }),
      ...(d.names === "on" && { names: { on: true, ...(d.nameDays !== "" && { before: Number(d.nameDays) * 86_400 }) } }),
    },
    performances: d.nights.map((night, i) => {
      const venue = venues.get(night.venue)!;
      const reserves = d.batches.flatMap((batch, n) => reserveOf(batch, n, i, venue, zone));
      return {
        venue: night.venue,
        local: { starts_at: night.starts, ...(night.doors && { doors_at: night.doors }), ...(night.ends && { ends_at: night.ends }) },
        prices: Object.fromEntries(venue.categories.map(({ name }) => [name, minor(priceOf(d, night, name), d.currency)!])),
        ...(reserves.length > 0 && { reserves }),
      };
    }),
    sale: {
      id: d.id,
      title: d.title.trim(),
      lobby_closes_at: iso(d.lobbyCloses, zone),
      opens_at: iso(d.opens, zone),
      ends_at: iso(d.ends, zone),
      ...(d.visitor !== "" && { visitor: d.visitor === "browser" ? { kind: "browser", work: 1000, per_network: 600 } : { kind: d.visitor } }),
      ...(lane !== "" && { lanes: [{ name: laneName(lane), title: lane, share: Number(d.laneShare), entry: [d.laneEntry] }] }),
      cap: Number(d.cap),
      rate: Number(d.rate),
      claim_window: 120,
      token_life: 60,
      session_max: sessionOf(hold),
      hold,
      hold_extensions: 1,
      units_per_hold: Number(d.perOrder),
      ...(d.perPerson !== "" && { units_per_place: Number(d.perPerson) }),
      ...(Number(d.notice) !== 10 && { turn_notice: Number(d.notice) * 60 }), // which is what one is that says none
      ...(d.party !== "" && { party_max: Number(d.party) }),
    },
  };
}

function reserveOf(batch: Batch, n: number, night: number, venue: Venue, zone: string): Reserve[] {
  const part = venue.parts.find((each) => each.name === batch.part);
  if (!part || (batch.night !== "" && Number(batch.night) !== night)) return [];
  return [{ name: words.batchName(n + 1), kind: "batch", release_at: iso(batch.at, zone), ...(part.area ? { area: part.name, places: Number(batch.places) } : { seats: [part.name] }) }];
}

/** Whether a sale says what a draft does. */
export function says(made: MadeProgram, d: Draft, venues: ReadonlyMap<string, Venue>): boolean {
  const want = programOf(d, made.event_id, venues);
  const time = (text: string | undefined) => (text === undefined || text === "" ? 0 : Date.parse(text));
  const times = ["lobby_closes_at", "opens_at", "ends_at"] as const;
  const others = ["title", "visitor", "lanes", "cap", "rate", "session_max", "hold", "units_per_hold", "units_per_place", "turn_notice", "party_max"] as const;
  return (
    times.every((name) => time(want.sale[name]) === time(made.sale[name])) &&
    others.every((name) => JSON.stringify(want.sale[name] ?? null) === JSON.stringify(made.sale[name] ?? null)) &&
    want.performances.length === made.performances.length &&
    want.performances.every((show, i) => {
      const [there, zone] = [made.performances[i]!, venues.get(show.venue)!.zone];
      const at = (local: string | undefined) => time(local && iso(local, zone));
      const { local } = show;
      return (
        show.venue === there.venue && at(local?.starts_at) === time(there.starts_at) && at(local?.doors_at) === time(there.doors_at) && at(local?.ends_at) === time(there.ends_at) &&
        Object.entries(show.prices).every(([name, amount]) => there.prices[name] === amount)
      );
    })
  );
}

/** What is wrong with codes that are asked for. */
export function codeFaults(asked: { name: string; count: string; uses: string }): Faults {
  const wrong: Faults = {};
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(asked.name.trim())) wrong["codes-name"] = words.wrong.codes;
  if (whole(asked.count, 1, 10_000) === undefined) wrong["codes-count"] = words.wrong.between(1, 10_000);
  if (whole(asked.uses, 1, 1_000_000) === undefined) wrong["codes-uses"] = words.wrong.between(1, 1_000_000);
  return wrong;
}

/** Places in all, and what they come to if all are sold. */
export function worth(d: Draft, venues: ReadonlyMap<string, Venue>): { places: number; amount: number } {
  let [places, amount] = [0, 0];
  for (const night of d.nights) {
    for (const category of venues.get(night.venue)?.categories ?? []) {
      places += category.places;
      amount += category.places * (minor(priceOf(d, night, category.name), d.currency) ?? 0);
    }
  }
  return { places, amount };
}

export const placesText = (n: number) => words.places(count(n), n);
