import { useEffect, useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { EventShows } from "../api/documents";

/** The event whose tickets a coupon is for; without its name the coupon is as good. */
export function useEvent(id: string | undefined): EventShows | undefined {
  const [event, setEvent] = useState<EventShows>();
  useEffect(() => {
    if (id !== undefined) api.event(id).then(setEvent, () => {});
  }, [id]);
  return event;
}
