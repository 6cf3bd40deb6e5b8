// The organizer's routes; the cookie of the sign-in is the credential.

import type { Sale } from "./documents";
import { call } from "./staff";

const root = "/api/v1/organizer";
const at = (sale: string) => `${root}/sales/${encodeURIComponent(sale)}`;

export interface Palette {
  accent?: string;
  ground?: string;
}

export interface Look {
  title?: string;
  message?: string;
  help?: { text: string; url: string };
  colors?: { light?: Palette; dark?: Palette };
  domains?: string[];
}

export interface ShownLook {
  version: number;
  look: Look;
  logo?: { width: number; height: number };
}

/** What a page gets of a look: as the edge writes it. */
export interface Page {
  style: string;
  head: string;
  foot: string;
  title: string;
}

export type ItemState = "ok" | "warn" | "stop";
export type ItemName = "clock" | "keys" | "paths" | "payment" | "crowd" | "pace" | "times" | "stock" | "terms" | "codes" | "published";

export interface Readiness {
  state: ItemState;
  items: { name: ItemName; state: ItemState; reason: string; do?: string }[];
}

/** Version 0 is none. */
const seen = (version: number): Record<string, string> => (version === 0 ? { "If-None-Match": "*" } : { "If-Match": `"${version}"` });
const because = (reason: string) => `?reason=${encodeURIComponent(reason)}`;

export interface Choice {
  sale: string;
  title: string;
}

/** Sales that organizers have made, and those that are published and were made by the command. */
export async function sales(): Promise<Choice[]> {
  const { programs } = (await call<{ programs: Choice[] }>("GET", `${root}/programs?limit=200`)).body;
  const { sales } = (await call<{ sales: Sale[] }>("GET", "/api/v1/sales")).body;
  const more = sales.map((each) => ({ sale: each.status.id, title: each.title }));
  return [...programs, ...more.filter((each) => !programs.some((made) => made.sale === each.sale))];
}

/** undefined where the sale has none. */
export const look = async (sale: string) => {
  const answer = await call<ShownLook>("GET", `${at(sale)}/look`, { accept: [404] });
  return answer.status === 404 ? undefined : answer.body;
};
export const putLook = async (sale: string, version: number, body: Look, reason: string) =>
  (await call<ShownLook>("PUT", `${at(sale)}/look${because(reason)}`, { body, headers: seen(version) })).body;
export const preview = async (sale: string, body: Look) => (await call<Page>("POST", `${at(sale)}/look/preview`, { body })).body;
export const putLogo = async (sale: string, version: number, file: Blob, reason: string) =>
  (await call<ShownLook>("PUT", `${at(sale)}/look/logo${because(reason)}`, { body: file, headers: seen(version), patience: 60_000 })).body;
export const removeLogo = async (sale: string, version: number, reason: string) =>
  (await call<ShownLook>("DELETE", `${at(sale)}/look/logo${because(reason)}`, { headers: seen(version) })).body;
export const readiness = async (sale: string, crowd: number) => (await call<Readiness>("GET", `${at(sale)}/readiness?crowd=${crowd}`)).body;
