// The bag that this browser has. A bag is a person without a name: whoever has
// its key has what is in it, so a link never replaces the bag that is here
// without being asked to.

import { newBag } from "../api/coupons";
import { nonce } from "../api/http";

const name = "ropeline.bag";

/** Of a browser that keeps nothing: as long as the page is open. */
let unkept = "";

/** The key; empty if there is no bag yet. */
export function keptBag(): string {
  try {
    return localStorage.getItem(name) ?? unkept;
  } catch {
    return unkept;
  }
}

export function keepBag(key: string): void {
  unkept = key;
  try {
    localStorage.setItem(name, key);
  } catch {
    // Storage is switched off: the link to the bag is all there is.
  }
}

/** The key of this browser's bag, which is made if there is none. A tab that makes one at the same time does not replace it. */
export async function ownBag(): Promise<string> {
  if (keptBag() !== "") return keptBag();
  const made = await newBag();
  if (keptBag() === "") keepBag(made);
  return keptBag();
}

export const bagAddress = (key: string) => `/coupons/bag#${key}`;
export const takeAddress = (code: string) => `/coupons/take#${code}`;

const claimName = (coupon: string) => `ropeline.claim.${coupon}`;

/** The idempotency key of a claim. It outlives a reload: who never heard what came of it and asks again gets the same copy. */
export function claimFor(coupon: string): string {
  try {
    const before = sessionStorage.getItem(claimName(coupon));
    if (before !== null) return before;
    const key = nonce();
    sessionStorage.setItem(claimName(coupon), key);
    return key;
  } catch {
    return nonce();
  }
}

/** It was answered: the next claim is another one. */
export function forgetClaim(coupon: string): void {
  try {
    sessionStorage.removeItem(claimName(coupon));
  } catch {
    // Nothing was kept either.
  }
}
