// The window onto the map: scale and offset, in CSS pixels per map unit. Pure
// arithmetic; canvas.ts turns fingers and wheels into calls.

import type { Box } from "./seats";

export interface Size {
  width: number;
  height: number;
}

export interface View {
  scale: number;
  x: number; // of the map's origin, in pixels
  y: number;
}

/** The whole box in the middle of the window. */
export function fit(box: Box, size: Size): View {
  const scale = Math.min(size.width / box.width, size.height / box.height);
  return {
    scale,
    x: (size.width - box.width * scale) / 2 - box.left * scale,
    y: (size.height - box.height * scale) / 2 - box.top * scale,
  };
}

/** Zooms by a factor so that what is under (px, py) stays there; never out beyond the whole, never in beyond `most`. */
export function zoom(view: View, factor: number, px: number, py: number, box: Box, size: Size, most: number): View {
  const whole = fit(box, size);
  const scale = Math.min(Math.max(view.scale * factor, whole.scale), Math.max(most, whole.scale));
  const by = scale / view.scale;
  return keep({ scale, x: px - (px - view.x) * by, y: py - (py - view.y) * by }, box, size);
}

export function pan(view: View, dx: number, dy: number, box: Box, size: Size): View {
  return keep({ ...view, x: view.x + dx, y: view.y + dy }, box, size);
}

/** Never leaves the map: a side longer than the window fills it, a shorter one is in the middle. */
function keep(view: View, box: Box, size: Size): View {
  const axis = (offset: number, start: number, length: number, room: number) => {
    const [low, high] = [room - (start + length) * view.scale, -start * view.scale];
    return low >= high ? (low + high) / 2 : Math.min(Math.max(offset, low), high);
  };
  return { scale: view.scale, x: axis(view.x, box.left, box.width, size.width), y: axis(view.y, box.top, box.height, size.height) };
}

export function toMap(view: View, px: number, py: number): { x: number; y: number } {
  return { x: (px - view.x) / view.scale, y: (py - view.y) / view.scale };
}
