/** A piece of a text; with an address it is a link. */
export interface Part {
  text: string;
  address?: string;
}

/** A text of a letter, with addresses of the web as links. What ends a sentence is no part of one. */
export function parts(text: string): Part[] {
  const all: Part[] = [];
  let at = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"]*[^\s<>".,;:!?)]/g)) {
    if (found.index > at) all.push({ text: text.slice(at, found.index) });
    all.push({ text: found[0], address: found[0] });
    at = found.index + found[0].length;
  }
  if (at < text.length) all.push({ text: text.slice(at) });
  return all;
}
