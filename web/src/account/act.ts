import { Refusal } from "../api/http";
import { useAct } from "../look/act";
import { account as words } from "../messages/en";

/** The server says the rest in words for people. */
function ours(refusal: Refusal): string | undefined {
  const code = words.channels.code;
  switch (refusal.code) {
    case "too-many-tries":
      return words.tries(Math.ceil((refusal.retryAfter ?? 60) / 60));
    case "link-over":
      return words.linkOver;
    case "phone-code-wrong":
      return code.wrong;
    case "phone-code-over":
      return code.over;
    case "too-many-codes":
      return code.many(Math.ceil((refusal.retryAfter ?? 3600) / 3600));
    case "texts-off":
      return code.off;
    default:
      return undefined;
  }
}

/** Sees to it that a sign-in is over, which was ended elsewhere. */
export const signedOut = (changed: () => void) => (cause: unknown) => {
  const is = cause instanceof Refusal && cause.status === 401;
  if (is) changed();
  return is;
};

/** What somebody does on a page of the account. */
export const useAccountAct = () => useAct(ours, words.lost);
