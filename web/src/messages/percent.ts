// Apart from format.ts, which the waiting page loads.

import { language } from "./format";

/** 19%, from basis points. */
export function percent(rate: number): string {
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 2 }).format(rate / 10_000);
}
