import type { Page } from "../api/desk";

/** The states that an organizer looks at before the opening. */
export type State = "lobby" | "drawing" | "waiting" | "offered" | "expired" | "ended";

/** What the desk tells the frame to show. */
export interface Shown {
  page: Page;
  state: State;
  dark: boolean;
}
