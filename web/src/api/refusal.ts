// What a refusal means for whoever asked.

import { Refusal } from "./http";

/** Asking again would be in vain. */
export const final = (cause: unknown): boolean => cause instanceof Refusal && cause.status < 500 && cause.status !== 429 && cause.code !== "payment-running";

/** What was held is not held any more. */
export const holdOver = (cause: unknown): boolean => cause instanceof Refusal && ["hold-expired", "hold-unknown", "hold-released"].includes(cause.code);
