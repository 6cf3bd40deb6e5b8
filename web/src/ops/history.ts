// What charts show, from the samples that the controller keeps of a sale. Pure.

import type { Sample } from "../api/documents";

/** Seconds that are shown. The server keeps as many samples, which last longer where it took some seconds apart. */
const kept = 900;

/** Puts newer samples behind those that are there, and forgets what is too old to be shown. */
export function merged(have: Sample[], more: Sample[]): Sample[] {
  const last = have.at(-1)?.at ?? 0;
  const all = [...have, ...more.filter((sample) => sample.at > last)];
  const oldest = (all.at(-1)?.at ?? 0) - kept;
  return all.filter((sample) => sample.at > oldest);
}

/** Over how many seconds what is counted is averaged: one tick more or less is no news. */
const averaged = 10;

type Counter = "offers" | "missed" | "claimed";

/**
 * How fast a counter rose, a minute, at each sample; null where that is not known:
 * at the beginning, and where it fell, which a store does that has lost data.
 */
export function perMinute(samples: Sample[], of: (sample: Sample) => number): (number | null)[] {
  let from = 0;
  return samples.map((sample, i) => {
    while (from < i - 1 && sample.at - samples[from + 1]!.at >= averaged) from++;
    const before = samples[from]!;
    const rose = of(sample) - of(before);
    return sample.at > before.at && rose >= 0 ? (60 * rose) / (sample.at - before.at) : null;
  });
}

export const counter = (name: Counter) => (sample: Sample) => sample[name];

/** Sessions that have ended since the sale began: those that were begun and are not there any more. */
export const left = (sample: Sample) => sample.claimed - sample.active;
