// What an organizer pays the platform, and what came to their accounts. Components draw it.

import * as api from "../api/plans";
import { Working } from "../desk/working";
import { money as words } from "../messages/en";
import { problemOf } from "../messages/problem";

export class MoneyDesk extends Working {
  protected override readonly ofKeys = words.signIn;
  accounts: api.Account[] | undefined;
  chosen = "";
  plan: api.AccountPlan | undefined;
  periods: api.Period[] = [];
  morePeriods = "";
  settled: api.Settlement | undefined;

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      this.accounts = await api.accounts();
      this.staff = "yes";
      const named = new URLSearchParams(location.search).get("account");
      const first = this.accounts.find((each) => each.name === named) ?? this.accounts[0];
      if (first) await this.#choose(first.name);
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.accounts = this.plan = this.settled = undefined;
      this.periods = [];
    });
  }

  choose(account: string): Promise<void> {
    return this.act(() => this.#choose(account));
  }

  olderPeriods(): Promise<void> {
    return this.act(async () => {
      const page = await api.periods(this.chosen, this.morePeriods);
      this.periods = [...this.periods, ...page.periods];
      this.morePeriods = page.next ?? "";
    });
  }

  async #choose(account: string): Promise<void> {
    this.chosen = account;
    const [plan, periods, settled] = await Promise.all([api.plan(account), api.periods(account), api.settlement(account)]);
    this.plan = plan;
    this.periods = periods.periods;
    this.morePeriods = periods.next ?? "";
    this.settled = settled;
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, () => undefined);
  }
}
