// Where a fault is in the text of a file: the lines around it, or, in a file that is one long
// line, the value that it is about.

import type { Fault } from "../api/files";

export interface Excerpt {
  /** 0: that is not known. */
  line: number;
  pointer: string;
  lines: { number: number; text: string }[];
}

const beside = 2;
/** Characters of a line that are shown. */
const wide = 160;
/** A line of more characters is the whole file, or a good part of it. */
const endless = 2_000;

export function excerptOf(text: string, fault: Fault): Excerpt {
  const { line = 0, pointer = "" } = fault;
  const lines = linesOf(text, line);
  const own = lines.find((each) => each.number === line);
  if (own && own.text.length <= endless) return { line, pointer, lines: lines.map((each) => ({ ...each, text: cut(each.text) })) };
  const value = pointer === "" ? undefined : valueAt(text, pointer);
  return { line, pointer, lines: [{ number: line, text: cut(value ?? own?.text ?? "") }] };
}

const cut = (text: string) => (text.length > wide ? `${text.slice(0, wide)}…` : text);

/** The lines around one; splitting a file of 32 MB would make a million texts. */
function linesOf(text: string, line: number): { number: number; text: string }[] {
  const found = [];
  let begin = 0;
  for (let number = 1; number <= line + beside && begin <= text.length; number++) {
    const at = text.indexOf("\n", begin);
    const end = at < 0 ? text.length : at;
    if (number >= line - beside) found.push({ number, text: text.slice(begin, end) });
    begin = end + 1;
  }
  return found;
}

/** What a JSON Pointer leads to, written in a line; undefined where there is nothing. */
function valueAt(text: string, pointer: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  for (const part of pointer.split("/").slice(1)) value = (value as Record<string, unknown> | null | undefined)?.[part];
  return value === undefined ? undefined : JSON.stringify(value);
}
