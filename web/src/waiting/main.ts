// The waiting room: join, stay told, come in. Plain TypeScript, because this
// is the page that everybody loads in the same minute; vite.config.ts holds it
// below 15 KB.

import type { Status } from "../api/documents";
import { Disconnected, nonce, Refusal } from "../api/http";
import * as line from "../api/line";
import { LineClock } from "../line/clock";
import { Connection } from "../line/connection";
import { common } from "../messages/en";
import type { Context } from "./bodies";
import { recall, remember } from "./memory";
import { Room } from "./room";

const saleId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const memory = recall(saleId);
const clock = new LineClock();
const handover = () => import("../handover/handover"); // loaded by whoever asks for it
const party = () => import("../party/party");
const room = new Room(
  document.getElementById("page")!,
  () => void leave(),
  () => void handover().then((m) => m.open(room.dialog, saleId, known.status?.elsewhere ?? false)),
  () => void party().then((m) => m.open(room.dialog, saleId)),
);
let connection: Connection | undefined;
let retries = 0;
let retryTimer: ReturnType<typeof setTimeout> | undefined;

// Who came from a shop behind the gate goes back to where they were: a path of this
// host, so one slash and nothing that a browser takes for another or leaves out.
const back = /^\/(?!\/)[\w\-./~%?&=+,:;@!$'()*[\]]*$/.exec(new URLSearchParams(location.search).get("back") ?? "")?.[0];

const context: Context = {
  shop: back ?? `/sales/${encodeURIComponent(saleId)}/shop`,
  known: { link: "connecting", left: false, offline: false },
  clock,
  start: 0,
  claiming: false,
  said: "",
  saleId,
  actions: { claim: () => void claim(), rejoin: () => void rejoin(), retry: () => void arrive() },
};
const known = context.known;

const draw = () => {
  room.draw(context);
  void import("../news/news").then((m) => m.tell(room, context), () => {});
};

function show(status: Status): void {
  clock.hear(status.sale.now);
  if (known.status?.message) status.message ??= known.status.message; // a frame says it once
  known.status = status;
  known.left = false;
  known.offline = false;
  delete known.refusal;
  if (status.position !== undefined) {
    const same = memory.epoch === status.epoch && memory.start !== undefined;
    memory.start = same ? Math.max(memory.start!, status.position) : status.position;
    if (status.epoch !== undefined) memory.epoch = status.epoch;
    context.start = memory.start;
  }
  memory.was = status.state === "left" ? "left" : "in";
  remember(saleId, memory);
  draw();
}

function refuse(cause: unknown): void {
  known.offline = cause instanceof Disconnected;
  if (cause instanceof Refusal) known.refusal = cause;
  delete known.status;
  draw();
}

/** The page is loaded: find the place that there was, or join. */
async function arrive(): Promise<void> {
  clearTimeout(retryTimer);
  line.sale(saleId).then(
    (sale) => {
      known.sale = sale;
      clock.hear(sale.status.now);
      if (known.status) draw();
    },
    () => (known.sale ??= null), // only the title is missing; joining tells what is wrong
  );
  const brought = { handover, party }[/^#(handover|party)=/.exec(location.hash)?.[1] ?? ""];
  if (brought) {
    draw(); // before the question: the first drawing ends one of a scene before
    try {
      const moved = await (await brought()).take(room.dialog, saleId);
      if (moved) return settle(moved);
    } catch (cause) {
      return again(new Disconnected("no script", { cause }));
    }
  }
  if (memory.was === "left" && location.hash !== "#lane") {
    known.left = true;
    return draw();
  }
  if (memory.was === undefined) return join();
  // A place that is over would be joined anew, at the tail, by a mere reload:
  // so look first, and let the fan ask for it.
  try {
    settle((await line.poll(saleId)).status);
  } catch (cause) {
    if (cause instanceof Refusal && [401, 410].includes(cause.status)) return join();
    again(cause);
  }
}

async function join(): Promise<void> {
  try {
    delete memory.start;
    memory.attempt ??= nonce();
    remember(saleId, memory);
    const status = await line.join(saleId, { attempt: memory.attempt }).catch(identify);
    delete memory.attempt;
    // Nobody waits: straight on, before a waiting room is drawn. Who comes back from
    // there is not sent on again, so this must be remembered.
    if (status.state === "active" && !status.elsewhere && remember(saleId, { ...memory, was: "in" })) return location.replace(context.shop);
    settle(status);
  } catch (cause) {
    if (cause instanceof Refusal && cause.status < 500) delete memory.attempt;
    again(cause);
  }
}

/** The sale wants to know who joins. */
async function identify(cause: unknown): Promise<Status> {
  if (!(cause instanceof Refusal && cause.code.endsWith("-needed"))) throw cause;
  draw(); // it takes a moment, and says so
  return (await import("../visitor/credential")).joinAs(saleId, cause);
}

function rejoin(): Promise<void> {
  delete memory.was;
  known.left = false;
  return join();
}

function settle(status: Status): void {
  retries = 0;
  connection?.close();
  show(status);
  if (["done", "left", "expired"].includes(status.state)) return;
  connection = new Connection({
    open: () => new WebSocket(line.liveAddress(saleId, location)),
    poll: () => line.poll(saleId),
    onStatus: show,
    onLink: (link) => {
      known.link = link;
      draw();
    },
    onRefused: refuse,
    random: Math.random,
  });
}

/** Not in line yet: say why, and try again by itself unless it is for good. */
function again(cause: unknown): void {
  refuse(cause);
  const refusal = cause instanceof Refusal ? cause : undefined;
  if (refusal && refusal.status !== 429 && refusal.status < 500) return;
  const wait = (refusal?.retryAfter ?? Math.min(30, 2 ** retries++)) * 1000;
  clearTimeout(retryTimer);
  retryTimer = setTimeout(() => {
    delete known.refusal;
    void arrive();
  }, wait * (1 + Math.random() / 2));
}

async function claim(): Promise<void> {
  if (context.claiming) return;
  context.claiming = true;
  context.said = "";
  draw();
  try {
    await line.claim(saleId);
    location.assign(context.shop);
    return; // the button stays busy until the page is gone
  } catch (cause) {
    const refused = cause instanceof Refusal;
    context.said = refused ? cause.message || common.trouble : common.offline;
    // Too late, or another tab was faster: the place itself knows better.
    if (refused && [409, 410].includes(cause.status)) connection?.wake();
  }
  context.claiming = false;
  draw();
}

async function leave(): Promise<void> {
  try {
    await line.leave(saleId);
  } catch (cause) {
    const gone = cause instanceof Refusal && [401, 410].includes(cause.status);
    if (!gone) {
      context.said = cause instanceof Refusal ? cause.message : common.offline;
      return draw();
    }
  }
  connection?.close();
  known.left = true;
  remember(saleId, { was: "left" });
  delete memory.epoch;
  draw();
}

void arrive();
setInterval(draw, 1000); // countdowns; and what is drawn while the first answer takes longer
addEventListener("online", () => (connection ? connection.wake() : void arrive()));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection?.wake();
});
addEventListener("pageshow", (event) => {
  // Back from the shop by the browser's own button: the page is as it was left.
  if (event.persisted) location.reload();
});
