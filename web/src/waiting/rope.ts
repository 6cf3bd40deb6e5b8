// The velvet rope between the brass posts: it fills as the fan walks along it.

import { waiting } from "../messages/en";

const posts = [40, 227, 413, 600];
const hang = "M40 36Q133 112 227 36Q320 112 413 36Q507 112 600 36";
const open = "M40 36Q133 112 227 36Q320 112 413 36C404 70 398 104 402 128";

export interface Rope {
  element: HTMLElement;
  walk: (share: number) => void;
}

/** lifted: the last length hangs down, the way is free. */
export function rope(lifted: boolean, walks: boolean): Rope {
  const path = lifted ? open : hang;
  const post = (x: number) =>
    `<rect class="post" x="${x - 4}" y="30" width="8" height="104" rx="2"/><ellipse class="post" cx="${x}" cy="137" rx="21" ry="7"/>` +
    `<circle class="post" cx="${x}" cy="24" r="10"/><circle class="shine" cx="${x - 3}" cy="21" r="3"/><rect class="shine" x="${x - 2}" y="38" width="2" height="92"/>`;
  const element = document.createElement("div");
  element.innerHTML =
    `<svg class="rope" viewBox="0 0 640 150" aria-hidden="true"><path class="cord" d="${path}"/>` +
    `<path class="way" d="${path}" pathLength="1" stroke-dasharray="1 2" stroke-dashoffset="${lifted ? 0 : 1}"/>` +
    `<path class="twist" d="${path}"/>${posts.map(post).join("")}${walks ? `<circle class="you" r="9"/>` : ""}</svg>`;
  const way = element.querySelector<SVGPathElement>(".way")!;
  const you = element.querySelector<SVGCircleElement>(".you");
  if (walks) {
    element.setAttribute("role", "progressbar");
    element.setAttribute("aria-label", waiting.waiting.progress);
    element.setAttribute("aria-valuemin", "0");
    element.setAttribute("aria-valuemax", "100");
  }
  let shown = -1;
  const walk = (share: number) => {
    const percent = Math.floor(share * 100);
    if (share === shown) return;
    shown = share;
    const length = way.getTotalLength();
    const point = way.getPointAtLength(length * share);
    way.setAttribute("stroke-dashoffset", String(1 - share));
    // A cap of no length would still be drawn as a dot.
    way.style.visibility = share > 0 ? "visible" : "hidden";
    if (you) you.style.transform = `translate(${point.x}px,${point.y}px)`;
    element.setAttribute("aria-valuenow", String(percent));
    element.setAttribute("aria-valuetext", waiting.waiting.progressText(percent));
  };
  return { element, walk };
}
