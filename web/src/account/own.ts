import type * as api from "../api/account";

/** What a part of the account gets. */
export interface Own {
  mine: api.Mine;
  /** It has changed, as told or as is to be asked for. */
  changed: (mine?: api.Mine) => void;
}
