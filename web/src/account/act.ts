import { Refusal } from "../api/http";
import { useAct } from "../look/act";
import { account as words } from "../messages/en";

/** The server says the rest in words for people. */
const ours = (refusal: Refusal) => (refusal.code === "too-many-tries" ? words.tries(Math.ceil((refusal.retryAfter ?? 60) / 60)) : refusal.code === "link-over" ? words.linkOver : undefined);

/** Sees to it that a sign-in is over, which was ended elsewhere. */
export const signedOut = (changed: () => void) => (cause: unknown) => {
  const is = cause instanceof Refusal && cause.status === 401;
  if (is) changed();
  return is;
};

/** What somebody does on a page of the account. */
export const useAccountAct = () => useAct(ours, words.lost);
