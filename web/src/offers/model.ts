// A shop's coupons as those see them who make them. Components draw it.

import type { Coupon } from "../api/documents";
import { Refusal } from "../api/http";
import * as api from "../api/offers";
import { Once } from "../api/once";
import * as setup from "../api/setup";
import { Working } from "../desk/working";
import { offers as words } from "../messages/en";
import { problemOf } from "../messages/problem";
import { slug } from "./terms";

export class Offers extends Working {
  protected override readonly ofKeys = words.signIn;
  protected override readonly roles = ["organizer", "sre", "vendor"];
  shops: api.Shop[] | undefined;
  chosen = "";
  coupons: Coupon[] = [];
  moreCoupons = "";
  /** Whose tickets coupons may lower; none where events are not this one's to see. */
  events: setup.KeptEvent[] = [];
  /** How the copies of one of them stand. */
  report: { of: string; is: api.Report } | undefined;

  #once = new Once();

  start(key: string): Promise<void> {
    return this.act(async () => {
      await this.signIn(key);
      this.shops = await api.shops();
      this.staff = "yes";
      this.events = await setup.events().catch((cause: unknown) => {
        if (cause instanceof Refusal && cause.status === 403) return [];
        throw cause;
      });
      if (this.shops[0]) await this.#choose(this.shops[0].id);
    });
  }

  leave(): Promise<void> {
    return this.act(async () => {
      await this.signOut();
      this.shops = this.report = undefined;
      this.coupons = this.events = [];
    });
  }

  choose(shop: string): Promise<void> {
    return this.act(() => this.#choose(shop));
  }

  open(name: string): Promise<void> {
    return this.act(async () => {
      const shop = await api.putShop({ id: slug(name), name });
      this.shops = [...(this.shops ?? []).filter((each) => each.id !== shop.id), shop];
      await this.#choose(shop.id);
    });
  }

  older(): Promise<void> {
    return this.act(async () => {
      const page = await api.coupons(this.chosen, this.moreCoupons);
      this.coupons = [...this.coupons, ...page.coupons];
      this.moreCoupons = page.next ?? "";
    });
  }

  /** Whether it is made: shown to nobody before it is given out. */
  async make(product: api.Product, terms: api.Terms): Promise<boolean> {
    let made = false;
    await this.act(async () => {
      await api.putProduct(this.chosen, product);
      const coupon = await api.make(this.chosen, terms, this.#once.key(this.chosen + JSON.stringify(terms)));
      this.#once.answered();
      this.coupons = [coupon, ...this.coupons.filter((each) => each.id !== coupon.id)];
      this.notice = words.made;
      made = true;
    });
    return made;
  }

  publish(id: string): Promise<void> {
    return this.act(async () => {
      this.#changed(await api.publish(this.chosen, id));
      this.notice = words.published;
    });
  }

  withdraw(id: string, reason: string): Promise<void> {
    return this.act(async () => {
      this.#changed(await api.withdraw(this.chosen, id, reason));
      this.notice = words.withdrawn;
    });
  }

  look(id: string): Promise<void> {
    return this.act(async () => void (this.report = { of: id, is: await api.report(this.chosen, id) }));
  }

  #changed(coupon: Coupon): void {
    this.coupons = this.coupons.map((each) => (each.id === coupon.id ? coupon : each));
    if (this.report?.of === coupon.id) this.report = undefined;
  }

  async #choose(shop: string): Promise<void> {
    this.chosen = shop;
    this.report = undefined;
    const page = await api.coupons(shop);
    this.coupons = page.coupons;
    this.moreCoupons = page.next ?? "";
  }

  protected async explain(cause: unknown): Promise<void> {
    if (await this.turnedAway(cause)) return;
    this.problem = problemOf(cause, (refusal) => words.refusals[refusal.code]);
  }
}
