// The page where everybody reads a sale's public ledger and checks it.

import type { Ledger, LedgerEntry } from "../api/documents";
import { Refusal } from "../api/http";
import { ledger as pageOf } from "../api/line";
import mark from "../look/mark.svg";
import { common, ledger as words } from "../messages/en";
import { moment } from "../messages/format";
import { h, say } from "../waiting/dom";
import { holds } from "./check";

const saleId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const at = `/sales/${encodeURIComponent(saleId)}`;
const step = 50;
const key = `ropeline.ledger.${saleId}`;

const verdict = h("p", { role: "status" }, words.checking);
const head = h("p", {}, common.loading);
const signed = h("p", { class: "note" });
const noted = h("p", { class: "note" });
const list = h("ol", { class: "entries" });
const older = h("button", { class: "quiet", hidden: "" }, words.older);

document.getElementById("page")!.append(
  h("header", { class: "top" }, h("a", { class: "brand", href: "/" }, h("img", { src: mark, alt: "", width: "28", height: "28" }), common.brand)),
  h(
    "main",
    { class: "ledger" },
    h("h1", {}, words.heading),
    h("p", {}, words.lead),
    verdict,
    h("h2", {}, words.head),
    head,
    signed,
    h("p", { class: "note" }, words.noteThis),
    noted,
    h("h2", {}, words.what),
    list,
    older,
    h("p", {}, h("a", { href: `/api/v1${at}/ledger/file` }, words.file)),
    h("p", { class: "note" }, words.fileNote),
    h("p", {}, h("a", { href: `${at}/receipt` }, words.receipt), " · ", h("a", { href: `${at}/draw` }, words.draw), " · ", h("a", { href: at }, words.back)),
  ),
);

let entries: LedgerEntry[] = [];

function item(entry: LedgerEntry): HTMLElement {
  const told = words.kinds[entry.kind]?.(entry.data) ?? `${entry.kind} ${JSON.stringify(entry.data)}`;
  return h(
    "li",
    { value: String(entry.seq), "data-kind": entry.kind },
    h("time", { datetime: entry.time, class: "note" }, moment(entry.time)),
    h("span", { dir: "auto" }, told),
    h("code", { translate: "no", title: entry.hash, "aria-label": words.entry(entry.seq) }, entry.hash.slice(0, 12)),
  );
}

/** What this browser noted of the ledger at an earlier visit, which nobody else can change. */
function remember(doc: Ledger): { seq: number; hash: string; at: string } | undefined {
  try {
    const before = JSON.parse(localStorage.getItem(key) ?? "null") as { seq: number; hash: string; at: string } | null;
    if (!before && doc.head.seq > 0) localStorage.setItem(key, JSON.stringify({ ...doc.head, signed: undefined, at: new Date().toISOString() }));
    return before ?? undefined;
  } catch {
    return undefined; // private mode: then people note it on paper
  }
}

async function compare(doc: Ledger): Promise<boolean> {
  const before = remember(doc);
  if (!before) return true;
  say(noted, words.noted(before.seq, before.at));
  if (before.seq < (doc.first ?? 1)) return true; // not served here any more
  const there = (await pageOf(saleId, before.seq - 1, 1)).entries[0];
  return there?.seq === before.seq && there.hash === before.hash;
}

async function show(doc: Ledger): Promise<void> {
  head.replaceChildren(doc.head.seq === 0 ? words.none : `${words.entry(doc.head.seq)}: `, h("code", { translate: "no" }, doc.head.hash));
  say(signed, doc.head.signed ? words.signed(doc.head.signed.seq) : "");
  list.replaceChildren(...[...entries].reverse().map(item));
  older.hidden = (entries[0]?.seq ?? 0) <= (doc.first ?? 1);
  const good = (await holds(entries)) && (entries.length === 0 || entries.at(-1)!.hash === doc.head.hash || entries.at(-1)!.seq < doc.head.seq);
  const same = await compare(doc);
  verdict.dataset.verdict = good && same ? "holds" : "broken";
  say(verdict, !same ? words.changed : good ? words.good(entries.length) : words.bad);
}

older.addEventListener("click", () => {
  const first = entries[0]?.seq ?? 1;
  const from = Math.max(0, first - 1 - step);
  void pageOf(saleId, from, first - 1 - from).then(async (doc) => {
    entries = [...doc.entries, ...entries];
    await show(doc);
  }, trouble);
});

function trouble(cause: unknown): void {
  say(verdict, cause instanceof Refusal ? cause.message || common.trouble : common.offline);
}

/** Looks, and looks again for what is new. */
async function look(): Promise<void> {
  let again = 5;
  try {
    const last = entries.at(-1)?.seq;
    const doc = await pageOf(saleId, last ?? -step, 1000);
    if (last === undefined || doc.entries.length > 0) {
      entries = [...entries, ...doc.entries];
      await show(doc);
    }
  } catch (cause) {
    trouble(cause);
    if (cause instanceof Refusal && cause.status < 500 && cause.status !== 429) return;
    again = (cause instanceof Refusal ? cause.retryAfter : undefined) ?? again;
  }
  setTimeout(() => void look(), again * 1000 * (1 + Math.random()));
}

void look();
