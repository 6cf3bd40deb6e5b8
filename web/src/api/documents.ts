// The JSON documents of the public interface. Those of the line are described
// by package edge/wire; its golden files are read by this side's tests too.

export type PlaceState = "collected" | "waiting" | "passed" | "offered" | "active" | "done" | "left" | "expired";
export type Phase = "lobby" | "drawing" | "open" | "ended";

export interface SaleStatus {
  id: string;
  phase: Phase;
  opens_at: string;
  now: string;
  paused: boolean;
  /** How it is paused, and why; in which language if that is known in several. */
  mode?: "pause" | "queue" | "stop";
  reason?: string;
  reason_lang?: string;
  entrants: number;
  comebacks?: number;
  stock?: { units: number; free: number; held: number };
  terms?: number;
  message?: number;
  trouble?: "away" | "settling";
}

/** How many days before somebody is reminded, 0: not at all; of an order, when, if that is to come. */
export interface Reminder {
  days: number;
  at?: string;
}

export type Chance = "good" | "even" | "slim" | "returns" | "sold-out";

export interface Message {
  number: number;
  lang: string;
  text: string;
  until?: string;
}

export interface Session {
  id: string;
  ends_at: string;
}

export interface Status {
  state: PlaceState;
  sale: SaleStatus;
  lane?: string;
  position?: number;
  served?: number;
  epoch?: string;
  wait?: { low: number; high: number; longer?: "limits" | "returns" | "parties" | "lanes" | "slower" | "restored" };
  odds?: { chance?: Chance; tiers?: (Chance | "")[]; together?: number[] };
  terms?: number;
  message?: Message;
  back?: boolean;
  /** The shop failed this fan, who may come in again. */
  reentry?: boolean;
  return_by?: string;
  elsewhere?: boolean;
  party?: { size: number; you: number; too_large?: boolean };
  offer?: { number: number; claim_by: string; beside?: boolean };
  session?: Session;
  next_contact?: number;
}

export interface Sale {
  status: SaleStatus;
  title: string;
  lobby_closes_at: string;
  ends_at: string;
  performances: string[];
  claim_window: number;
  session_max: number;
  hold: number;
  hold_extensions: number;
  units_per_hold: number;
  /** That one place may have in all; absent for any number. */
  units_per_place?: number;
  party_max?: number;
  /** Always open: nobody waits until a limit is met, and then by arrival. */
  safety_net?: boolean;
  lanes?: Lane[];
  /** The rules by which somebody is let in past the line. */
  bypass?: { name: string; title: string; share: number; people: number }[];
  /** Whom the sale gives one place each; absent for anybody. */
  visitor?: string;
  draw: { commitment: string; root?: string; entrants?: number; seed?: string; beacon_rule?: string; root_at?: string; beacon?: string };
}

/** An entry of a sale's public ledger. */
export interface LedgerEntry {
  sale: string;
  seq: number;
  time: string;
  kind: string;
  data: Record<string, unknown>;
  prev: string;
  hash: string;
}

export interface Ledger {
  sale: string;
  head: { seq: number; hash: string; signed?: { seq: number; hash: string; key: string; signature: string } };
  key?: { id: string; public: string };
  first?: number;
  entries: LedgerEntry[];
  next?: number;
}

/** What is left of each tier. */
export interface Stock {
  at: string;
  tiers: { performance: string; tier: string; name: string; units: number; free: number; held: number; sold: number }[];
  basket: number;
  conversion: number;
}

export interface Change {
  what: string;
  of?: string;
  from: string;
  to: string;
}

export interface TermsSheet {
  version: number;
  at: string;
  reason?: string;
  changes?: Change[];
  ends_at: string;
  performances: { id: string; title: string; venue: string; starts_at: string; tiers: { id: string; name: string; amount: number; currency: string; units: number }[] }[];
  units_per_hold: number;
  /** That one place may have in all; absent for any number. */
  units_per_place?: number;
  hold: number;
  party_max: number;
  visitor: string;
  claim_window: number;
  session_max: number;
  draw: "lot" | "arrival";
  lanes?: { name: string; title: string; share: number; entry: string }[];
}

export interface Terms {
  version: number;
  newest: number;
  hash: string;
  signed: string;
  sheet: TermsSheet;
}

/** A line of its own, and what it is given. */
export interface Lane {
  name: string;
  title?: string;
  share: number;
  entry?: ("code" | "invitation")[];
  waiting: number;
  people: number;
}

/** Where a code leads. */
export interface LaneOffer {
  lane: Lane;
  lobby?: boolean;
  ahead: number;
  now?: number;
}

/** What became of a place. offer: the number of its last turn, whose minute the ledger says. */
/** An e-mail that comes before the turn. */
export interface LetterAsked {
  minutes: number;
}

export interface PlaceReceipt {
  sale: string;
  place: string;
  lane?: string;
  state: "collected" | "waiting" | "passed" | "offered" | "active" | "done" | "left" | "expired";
  lobby: boolean;
  joined_at?: string;
  rank?: number;
  offer?: number;
  beside?: boolean;
  missed_at?: string;
  back?: boolean;
  claimed: boolean;
  bought: boolean;
  reentry?: "open" | "used";
  members: number;
  moved?: boolean;
}

export interface DrawProof {
  place: string;
  index: number;
  count: number;
  path: string[];
  score: number;
  rank: number;
  root: string;
  seed: string;
  beacon: string;
  sale: string;
  close: number;
  beacon_rule: string;
  commitment: string;
}

/** What moves a place to another device. */
/** What friends need to share a place. */
export interface Invite {
  code: string;
  url: string;
  size: number;
  max: number;
}

export interface Handover {
  code: string;
  url: string;
  qr: string;
  expires_at: string;
}

export interface Admission {
  token: string;
  expires_at: string;
  session: Session;
}

/** WebSocket close codes: 4000–4499 say come back, 4500–4999 say stop. */
export const CloseOverload = 4002;
export const FirstFinalClose = 4500;
export const LastFinalClose = 4999;

export interface Money {
  amount: number;
  currency: string;
}

export interface Tier {
  id: string;
  name: string;
  kind: "seated" | "general";
  price: Money;
  first: number;
  count: number;
}

export interface Row {
  section: string;
  row: string;
  tier: string;
  first: number;
  count: number;
  x: number;
  y: number;
  dx: number;
  dy: number;
  /** What each seat is called: 1, 2, 3 … if left out. */
  seats?: string[];
  /** x and y of each seat in turns, if they are not in a line. */
  places?: number[];
  /** Which seats, from 0. */
  accessible?: number[];
  companion?: number[];
  restricted?: number[];
}

export interface Performance {
  id: string;
  sale: string;
  title: string;
  venue: string;
  starts_at: string;
  tiers: Tier[];
  rows: Row[];
  tariff: Tariff;
}

/** What of the prices is fee and tax: rates in basis points, 1900 is 19 %. */
export interface Tariff {
  fee_rate?: number;
  fee_fixed?: number;
  tax_rate?: number;
}

export interface TierAvailability {
  id: string;
  free: number;
  held: number;
  sold: number;
  /** Not for sale, or not yet. */
  closed?: number;
}

/** taken, sold and closed are base64 bitmaps, most significant bit first: bit i is unit i. */
export interface Availability {
  as_of: string;
  taken: string;
  sold: string;
  closed?: string;
  tiers: TierAvailability[];
}

/** A frame of what becomes of units: of all of them if it names a feed, or of what has changed. runs: base64, see watch.ts. */
export interface SeatsFrame {
  feed?: string;
  seq: number;
  as_of: string;
  /** They cannot be looked at now. */
  stale?: boolean;
  runs?: string;
}

export interface Line {
  unit: number;
  label: string;
  tier: string;
  price: Money;
}

export interface Hold {
  id: string;
  performance: string;
  sale: string;
  units: number[];
  lines: Line[];
  /** What is to pay: lowered by the coupon, unless that has a problem. */
  total: Money;
  /** problem: the type of what paying would be refused with. */
  coupon?: { coupon: string; number: number; title: string; discount: Money; problem?: string };
  expires_at: string;
  extensions_left: number;
  state: "held" | "paying";
}

export interface Ticket {
  id: string;
  order: string;
  unit: number;
  label: string;
  tier: string;
  state: "valid" | "unpaid" | "blocked" | "void" | "canceled" | "given";
  /** That it bears, where tickets bear names. */
  name?: string;
  code: string;
  qr: string;
}

/** What tickets are for, as their holder reads it. */
export interface Occasion {
  title: string;
  state: "scheduled" | "postponed" | "canceled";
  starts_at: string;
  doors_at?: string;
  time_zone: string;
  venue: string;
  address?: string;
  city?: string;
  picture?: string;
}

/** The tickets of an order as a phone shows them. now: by the server's clock. */
export interface Passes {
  order: string;
  now: string;
  for: Occasion;
  tickets: Pass[];
  /** Until when they may be given to others; undefined: they may not. */
  give_until?: string;
  offer?: Offer;
}

/** A ticket that somebody gives, as who is asked, or has it by that, sees it. */
export interface Offer {
  state: "offered" | "accepted" | "recalled" | "refused" | "over";
  giver?: string;
  label?: string;
  tier?: string;
  named: boolean;
  expires_at: string;
}

/** tier: its name. key: there while the ticket is valid. code: the printed one, if phones have none. */
export interface Pass {
  id: string;
  state: Ticket["state"];
  label: string;
  tier: string;
  issue: number;
  name?: string;
  key_id?: string;
  key?: JsonWebKey;
  code?: string;
  used?: { at: string; door: string };
}

/** A ticket that somebody has given to an account; id: of the transfer, whose page key opens. */
export interface Gift {
  id: string;
  key: string;
  event: string;
  venue: string;
  time_zone: string;
  label: string;
  starts_at: string;
  good: boolean;
}

/** How a performance is paid for. */
export interface Payment {
  provider: "sandbox" | "stripe";
  publishable_key?: string;
  account?: string;
}

export interface Order {
  id: string;
  performance: string;
  sale: string;
  state: "paid" | "pending" | "canceled";
  total: Money;
  email: string;
  created_at: string;
  key?: string;
  /** Where the buyer has to confirm the payment first. */
  action?: string;
  tickets: Ticket[];
}

/** What a shop offers. Amounts are in minor units of its currency. */
export interface Coupon {
  id: string;
  shop: string;
  shop_name: string;
  product: string;
  product_name: string;
  category: string;
  /** Whose tickets it lowers; without one it is for the shop's till. */
  event?: string;
  title: string;
  percent?: number;
  amount?: number;
  at_most?: number;
  currency: string;
  price?: number;
  min_spend?: number;
  shareable?: boolean;
  stock: number;
  per_person: number;
  publish_from: string;
  publish_until: string;
  expires_at: string;
  /** Seconds after its claim. */
  use_within?: number;
  state: "created" | "published" | "expired" | "withdrawn";
  /** 1000 is so many or more. */
  left?: number;
  /** The tier whose units its copies are. */
  drop?: { performance: string; tier: string };
}

export type CopyState = "claimed" | "reserved" | "redeemed" | "expired" | "withdrawn";

/** A copy of a coupon that is in a bag. Code and pictures are there while it can be used. */
export interface BagCoupon {
  coupon: Coupon;
  number: number;
  state: CopyState;
  since: string;
  expires_at: string;
  code?: string;
  qr?: string;
  bars?: string;
  history?: { entry: string; who?: string; at: string }[];
}

export interface EventShows {
  id: string;
  title: string;
  performances: { id: string; sale: string; starts_at: string; venue: string }[];
}

/** The returns lists of a performance: of the tiers for which somebody began to wait. */
export interface ReturnsLists {
  /** Seconds in which an offer has to be claimed. */
  window: number;
  most: number;
  lists: { tier: string; waiting: number }[];
}

/** A place on a returns list. */
export interface Returned {
  id: string;
  performance: string;
  sale: string;
  tier: string;
  quantity: number;
  together: boolean;
  state: "waiting" | "offered" | "claimed" | "bought" | "lapsed" | "left" | "closed";
  ahead?: number;
  joined_at: string;
  /** Only in the answer to its making. */
  key?: string;
  offer?: { hold: string; units: number[]; lines: Line[]; total: Money; expires_at: string; pass: string };
}

/** What an order cost and what went back: minor units of its currency. */
export interface Receipt {
  order: string;
  title: string;
  venue: string;
  starts_at: string;
  /** How it was paid at the counter. */
  tender?: string;
  currency: string;
  lines: ReceiptLine[];
  discount?: number;
  total: number;
  net: number;
  tax: number;
  tax_rate: number;
  fee: number;
  refunds: ReceiptRefund[];
  cancel_until?: string;
  exchanged_from: ReceiptExchange[];
  exchanged_to: ReceiptExchange[];
  exchange_until?: string;
}

/** What tickets may be exchanged for, and what that comes to: minor units of its currency. */
export interface ExchangeQuote {
  hold: string;
  expires_at: string;
  performance: string;
  lines: Line[];
  currency: string;
  price: number;
  /** What is kept of what was paid for the tickets, and what is left of that. */
  fee: number;
  worth: number;
  to_pay: number;
  refund: number;
}

export interface ReceiptLine {
  ticket: string;
  label: string;
  state: Ticket["state"];
  price: number;
  paid: number;
  /** What canceling it now gives back. */
  refund: number;
}

export interface ReceiptRefund {
  id: string;
  amount: number;
  kept: number;
  state: "refunding" | "refunded" | "failed";
  at: string;
}

/** An exchange of tickets with another order, whose key opens its page. */
export interface ReceiptExchange {
  order: string;
  key: string;
  amount: number;
  at: string;
}

export type Mode = "run" | "pause" | "drain" | "queue" | "pass" | "stop";

/** A sale that cannot be read now. */
export interface Unread {
  sale: string;
  problem: { title: string; detail?: string };
}

/** A sale as its staff sees it. */
export interface Live {
  sale: string;
  title: string;
  phase: Phase;
  paused: boolean;
  mode: Mode;
  /** Of a mode other than run. */
  reason: string;
  cap: number;
  rate: number;
  /** Seconds of a session, and to claim an offer. */
  session: number;
  claim: number;
  min_cap: number;
  max_cap: number;
  min_rate: number;
  max_rate: number;
  /** Turns of 100 of each lane beside the main one. */
  shares?: Record<string, number>;
  /** Rises with every change. */
  version: number;
  /** The most that were in use since this limit holds; limit -1 is none. */
  proof: { limit: number; since: string; from: number; max_active: number };
  /** Whether the cap held. */
  holds: boolean;
  waiting: number;
  offered: number;
  active: number;
  admitted_last_minute: number;
  last_offer: number;
  max_in_use: number;
  now: string;
  opens_at: string;
  /** A warning: everything would be held too soon. */
  pace?: string;
  /** The automatic mode, where it was ever set, and why it changed the rate last. */
  auto?: Auto | null;
  auto_why?: string;
}

/** Settings of the automatic mode; slow and errors are shares. */
export interface Auto {
  on: boolean;
  target_ms: number;
  slow: number;
  errors: number;
  in_flight?: number;
}

/** What everybody who waits is told, as staff set it. */
export interface StaffMessage {
  number: number;
  texts: Record<string, string>;
  default?: string;
  until?: string;
}

export interface Limits {
  cap: number;
  rate: number;
}

/** What staff can set of a sale. */
export interface Settings {
  cap?: number;
  rate?: number;
  mode?: Mode;
  session?: number;
  claim?: number;
  shares?: Record<string, number>;
  min_cap?: number;
  max_cap?: number;
  min_rate?: number;
  max_rate?: number;
  auto?: Auto;
}

export interface Preset {
  name: string;
  note: string;
  /** Percent of the cap and rate of the sale's document; absent for neither. */
  share?: number;
  set?: Settings;
  built_in?: boolean;
}

/** A change for a time to come, or what came of it. */
export interface Planned {
  id: string;
  at: string;
  set: Settings;
  reason: string;
  who: string;
  state: "planned" | "done" | "refused" | "missed" | "canceled";
  why?: string;
}

/** A line of the audit: what somebody meant to do, and what came of it. */
export interface AuditRow {
  id: number;
  change: string;
  kind: "intended" | "effective" | "refused";
  action: string;
  who: string;
  role: string;
  via?: string;
  reason: string;
  detail: unknown;
  at: string;
}

/** How a sale stood in one second. */
export interface Sample {
  /** Unix seconds */
  at: number;
  waiting: number;
  offered: number;
  active: number;
  cap: number;
  rate: number;
  /** These three are counted since the sale began. */
  offers: number;
  missed: number;
  claimed: number;
  /** Seconds; -1 if that is not known. */
  wait: number;
  /** Units of the stock; -1 where nobody counts them. */
  free: number;
  held: number;
  /** How the cores of the shop did, in milliseconds and requests; -1 where none says. */
  core: { p50: number; p95: number; in_flight: number };
}

/** A payment that did not come together with its tickets; open and failed: somebody has to do something. */
export interface PaymentTrouble {
  kind: string;
  state: string;
  sale?: string;
  attempt: string;
  /** The provider's id. */
  payment: string;
  amount: Money;
  at: string;
}

/** What an edge last said of itself. */
export interface EdgeReport {
  edge: string;
  host: string;
  age_ms: number;
  started_at: string;
  sockets: number;
  sockets_most: number;
  rooms: number;
  away: number;
  shedding: boolean;
}

/** What a person says of themselves. */
export interface Profile {
  name?: string;
  phone?: string;
  address?: string;
  city?: string;
  country?: string;
  language?: string;
  time_zone?: string;
  born?: number;
  counted?: boolean;
  gender?: string;
}

/** The account that is signed in. */
export interface Account {
  id: string;
  email: string;
  profile: Profile;
  /** They have one: who came from elsewhere may have none. */
  password: boolean;
  second_factor: boolean;
  recovery_codes: number;
}

/** A place where somebody is signed in. */
export interface SignInPlace {
  id: string;
  agent: string;
  at: string;
  seen: string;
  ends: string;
  here: boolean;
}

/** An order in the list of an account. */
export interface MyOrder {
  id: string;
  performance: string;
  event: string;
  venue: string;
  starts_at: string;
  time_zone: string;
  show: ShowState;
  state: "paid" | "pending" | "canceled";
  total: Money;
  created_at: string;
  tickets: number;
  good: number;
  unused: boolean;
}

/** How a performance stands. */
export type ShowState = "scheduled" | "postponed" | "canceled";

export type FoundKind = "event" | "performer" | "venue" | "tour";

/** What was found. */
export interface Entry {
  kind: FoundKind;
  id: string;
  name: string;
  line?: string;
  category?: string;
  state?: "published" | "postponed";
  picture?: string;
  shows: number;
  next?: string;
  show?: {
    id: string;
    starts_at: string;
    time_zone: string;
    venue_id: string;
    venue: string;
    city?: string;
    country?: string;
    price_from?: Money;
    sold_out: boolean;
    kilometers?: number;
  };
}

export interface Found {
  entries: Entry[];
  next?: string;
  corrected?: string;
  ignored?: string[];
}

export interface Category {
  id: string;
  name: string;
  parent?: string;
}

export interface Listing {
  categories: Category[];
  events: Entry[];
}

export interface Suggestion {
  kind: FoundKind;
  id: string;
  name: string;
  line?: string;
}

export interface Named {
  id: string;
  name: string;
}

/** A performance as people read it. */
export interface PlayedShow {
  id: string;
  /** Empty while no sale sells it. */
  sale: string;
  state: ShowState;
  starts_at: string;
  doors_at?: string;
  ends_at?: string;
  was_at?: string;
  time_zone: string;
  venue: string;
  venue_id: string;
  city?: string;
  country?: string;
}

export interface ListedEvent {
  id: string;
  title: string;
  state: "published" | "postponed" | "canceled";
  category: string;
  picture?: string;
  performers?: Named[];
  tour?: Named;
  performances: PlayedShow[];
  about?: string;
}

/** A performer, a tour or a venue. */
export interface Told {
  id: string;
  name: string;
  about?: string;
  picture?: string;
  links?: string[];
  address?: string;
  city?: string;
  country?: string;
  time_zone?: string;
  place?: { latitude: number; longitude: number };
}

/** A performer whom an account follows. */
export interface Followed {
  id: string;
  name: string;
  shows: number;
  next?: string;
}
