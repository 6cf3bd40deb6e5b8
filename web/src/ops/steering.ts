import * as api from "../api/ops";
import type { Live, Settings } from "../api/documents";
import { ops as words } from "../messages/en";
import { useRequest } from "./request";
import { difference } from "./settings";

/** What a form that steers a sale works on. */
export interface Steered {
  live: Live;
  onLive: (live: Live) => void;
  /** Something was planned or done that the lists below show. */
  onChange: () => void;
}

/** A change as a form has it. */
export interface Wanted {
  set?: Settings;
  preset?: string;
  /** The sale as it was when the SRE began; and what of it must be so still. */
  seen: Live;
  expect: Settings & { version?: number };
  reason: string;
  public_reason?: Record<string, string> | undefined;
  /** For later, as an input of a date and time has it; "" is now. */
  when: string;
}

/** What a form does about it. */
export interface Outcome {
  done: string;
  reset: () => void;
  /** Somebody else was faster. */
  changed?: (now: Live) => void;
}

/** One change of a sale at a time. Whoever was slower than another SRE is shown the values as they are now, and told what the other one changed. */
export function useSteering({ live, onLive, onChange }: Steered) {
  const request = useRequest();
  const steer = ({ seen, expect, when, ...change }: Wanted, { done, reset, changed }: Outcome) =>
    void request.run(
      async () => {
        if (when !== "") await api.plan(live.sale, { ...change, at: new Date(when).toISOString() });
        else onLive(await api.steer(live.sale, { ...change, expect }));
        reset();
        onChange();
      },
      when === "" ? done : words.limits.planned,
      async (refusal) => {
        if (refusal.code !== "limits-changed") return undefined;
        const now = await api.sale(live.sale);
        onLive(now);
        onChange();
        changed?.(now);
        return words.limits.changed(difference(seen, now));
      },
    );
  return { ...request, steer };
}
