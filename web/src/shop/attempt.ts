// The idempotency key of a payment attempt. It outlives a reload, so that a fan
// who reloads in the middle of paying and pays again is charged once.

interface Attempt {
  key: string;
  email: string;
  method: string;
}

const name = (hold: string) => `ropeline.attempt.${hold}`;

/** The key of this payment: the same one for the same hold, e-mail and method until it is forgotten. */
export function attemptFor(hold: string, email: string, method: string): string {
  const before = lastAttempt(hold);
  if (before && before.email === email && before.method === method) return before.key;
  const attempt: Attempt = { key: randomKey(), email, method };
  try {
    sessionStorage.setItem(name(hold), JSON.stringify(attempt));
  } catch {
    // Storage is switched off: then only a reload in mid-payment is unprotected, and the hold itself refuses a second payment.
  }
  return attempt.key;
}

export function lastAttempt(hold: string): Attempt | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(name(hold)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

export function forgetAttempt(hold: string): void {
  try {
    sessionStorage.removeItem(name(hold));
  } catch {
    // Nothing was kept either.
  }
}

/** A payment that waits for the fan at the bank: of which hold, and which order it will be. */
export interface Away {
  hold: string;
  order: string;
}

const awayName = (sale: string) => `ropeline.away.${sale}`;

/** From here on the fan is at the bank; a page that is loaded again goes on. */
export function goAway(sale: string, away: Away): void {
  try {
    sessionStorage.setItem(awayName(sale), JSON.stringify(away));
  } catch {
    // Then the fan who comes back presses the button again.
  }
}

export function awayOf(sale: string): Away | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(awayName(sale)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

export function comeBack(sale: string): void {
  try {
    sessionStorage.removeItem(awayName(sale));
  } catch {
    // Nothing was kept either.
  }
}

/** 128 random bits. Not crypto.randomUUID: that is missing on plain http other than localhost. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
