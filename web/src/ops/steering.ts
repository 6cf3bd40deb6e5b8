import * as api from "../api/ops";
import type { Live } from "../api/documents";
import { useRequest } from "./request";

/** What a form that steers a sale works on. */
export interface Steered {
  live: Live;
  onLive: (live: Live) => void;
  /** Something was planned or done that the lists below show. */
  onChange: () => void;
}

/** One change of a sale at a time. Whoever was slower than another SRE is shown the values as they are now, and told so. */
export function useSteering({ live, onLive, onChange }: Steered) {
  const request = useRequest();
  const steer = (change: Parameters<typeof api.steer>[1], done: string, reset: () => void, changed: (now: Live) => string) =>
    void request.run(
      async () => {
        onLive(await api.steer(live.sale, change));
        reset();
        onChange();
      },
      done,
      async (refusal) => {
        if (refusal.code !== "limits-changed") return undefined;
        const now = await api.sale(live.sale);
        onLive(now);
        return changed(now);
      },
    );
  return { ...request, steer };
}
