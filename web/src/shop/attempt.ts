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

/** 128 random bits. Not crypto.randomUUID: that is missing on plain http other than localhost. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
