// The page where fans see what is public of a draw, and check their own place.

import type { DrawProof, Sale } from "../api/documents";
import { Refusal } from "../api/http";
import { drawProof, sale as saleOf } from "../api/line";
import mark from "../look/mark.svg";
import { common, draw as words } from "../messages/en";
import { h } from "../waiting/dom";
import { check } from "./check";
import { type Note, note } from "./notes";

const saleId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const at = `/sales/${encodeURIComponent(saleId)}`;
const title = h("p", { class: "note", dir: "auto" }, "\u00a0");
const facts = h("dl");
const mine = h("section", { role: "status" }, h("p", {}, common.loading));

document.getElementById("page")!.append(
  h("header", { class: "top" }, h("a", { class: "brand", href: "/" }, h("img", { src: mark, alt: "", width: "28", height: "28" }), common.brand)),
  h(
    "main",
    { class: "draw" },
    h("h1", {}, words.heading),
    title,
    h("h2", {}, words.mine),
    mine,
    h("h2", {}, words.how),
    h("ol", {}, ...words.steps.map((step) => h("li", {}, step))),
    h("p", { class: "note" }, words.noteThis),
    facts,
    h("p", {}, h("a", { href: `${at}/receipt` }, words.receipt), " · ", h("a", { href: `${at}/ledger` }, words.ledger), " · ", h("a", { href: at }, words.back)),
  ),
);

function fact(name: string, value: string | undefined, noted?: Note): Node[] {
  const when = noted && noted.value === value ? h("p", { class: "note" }, words.notedAt(noted.at)) : undefined;
  return [h("dt", {}, name), h("dd", {}, value ? h("code", { translate: "no" }, value) : words.notYet, when)];
}

function show({ title: name, draw }: Sale): void {
  const noted = note(saleId, draw, new Date());
  title.textContent = name;
  facts.replaceChildren(
    ...fact(words.commitment, draw.commitment, noted.commitment),
    ...fact(words.root, draw.root, noted.root),
    ...(draw.entrants === undefined ? [] : [h("dd", { class: "note" }, words.entrants(draw.entrants))]),
    ...fact(words.seed, draw.seed),
    ...(draw.beacon_rule === undefined ? [] : [...fact(words.beacon, draw.beacon), h("dd", { class: "note" }, words.rule(draw.beacon_rule))]),
  );
}

async function verdict(proof: DrawProof): Promise<void> {
  const noted = note(saleId, proof, new Date());
  const found: Parameters<typeof check>[1] = {};
  if (noted.commitment) found.commitment = noted.commitment.value;
  if (noted.root) found.root = noted.root.value;
  const checks = await check(proof, found);
  const list = checks.map(([name, how]) =>
    h("li", { "data-verdict": how }, h("span", {}, words.checks[name], h("span", { class: "note" }, ` · ${words.verdicts[how]}`))),
  );
  mine.replaceChildren(
    h("p", { class: "rank" }, words.rank(proof.rank, proof.count)),
    h("p", {}, checks.some(([, how]) => how === "broken") ? words.bad : words.good),
    h("ul", { class: "checks" }, ...list),
    h("dl", {}, ...fact(words.place, proof.place)),
    h("p", {}, h("a", { href: `/api/v1/sales/${encodeURIComponent(saleId)}/draw/file` }, words.file)),
    h("p", { class: "note" }, words.fileNote),
  );
}

const whyNot: Record<string, string> = {
  "not-drawn": words.waiting,
  "place-ticket-missing": words.none,
  "place-ticket-invalid": words.none,
  "not-in-draw": words.late,
  "draw-lost": words.lost,
  "draw-busy": words.busy,
};

/** Looks, and looks again as long as something may still come. */
async function look(): Promise<void> {
  let again = 5;
  try {
    show(await saleOf(saleId));
    await verdict(await drawProof(saleId));
    return;
  } catch (cause) {
    const refusal = cause instanceof Refusal ? cause : undefined;
    const text = refusal ? (whyNot[refusal.code] ?? (refusal.message || common.trouble)) : common.offline;
    if (mine.textContent !== text) mine.replaceChildren(h("p", {}, text));
    if (refusal && refusal.status < 500 && refusal.status !== 429 && refusal.code !== "not-drawn") return;
    again = refusal?.retryAfter ?? again;
  }
  setTimeout(() => void look(), again * 1000 * (1 + Math.random()));
}

void look();
