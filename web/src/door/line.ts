// A door as somebody types it.

import type { DoorOf } from "../api/door";

export interface Line {
  name: string;
  zone: string;
  /** Sections and tiers, with commas between. */
  areas: string;
}

export const lineOf = (door: DoorOf): Line => ({ name: door.name, zone: door.zone ?? "", areas: (door.areas ?? []).join(", ") });

export const doorOf = ({ name, zone, areas }: Line): DoorOf => {
  const some = areas.split(",").map((each) => each.trim()).filter(Boolean);
  return { name: name.trim(), ...(zone.trim() ? { zone: zone.trim() } : {}), ...(some.length > 0 ? { areas: some } : {}) };
};
