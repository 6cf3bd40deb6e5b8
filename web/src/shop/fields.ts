// Stripe's own fields for cards. Their script comes from Stripe and runs in frames of
// Stripe's: what is typed there never reaches this page, which gets a token.

interface Element {
  mount(into: HTMLElement): void;
  destroy(): void;
  on(event: "change" | "ready", told: () => void): void;
}

interface Made {
  paymentMethod?: { id: string };
  error?: { message?: string };
}

interface Stripe {
  elements(): { create(kind: "card", options: object): Element };
  createPaymentMethod(wanted: object): Promise<Made>;
}

declare global {
  interface Window {
    Stripe?: (key: string, options: object) => Stripe;
  }
}

const script = "https://js.stripe.com/v3/";
let loading: Promise<void> | undefined;

/** Loads the script once; after a failure it is tried again. */
function load(): Promise<void> {
  loading ??= new Promise<void>((done, failed) => {
    const element = document.createElement("script");
    element.src = script;
    element.onload = () => done();
    element.onerror = () => failed(new Error("the payment provider's fields did not load"));
    document.head.append(element);
  }).catch((cause) => {
    loading = undefined;
    throw cause;
  });
  return loading;
}

/** What the card's bank, or the fields, say is wrong; in the fan's language, by Stripe. */
export class CardRefused extends Error {}

export class CardFields {
  readonly #stripe: Stripe;
  readonly #card: Element;
  /** The same token while nothing is typed: a repeat of the payment is the same payment. */
  #token: { for: string; id: string } | undefined;

  private constructor(stripe: Stripe, card: Element) {
    this.#stripe = stripe;
    this.#card = card;
    card.on("change", () => (this.#token = undefined));
  }

  /** account: the organizer's own, for which the token has to be. */
  static async open(into: HTMLElement, key: string, account: string | undefined): Promise<CardFields> {
    await load();
    if (window.Stripe === undefined) throw new Error("the payment provider's fields did not load");
    const stripe = window.Stripe(key, account === undefined ? {} : { stripeAccount: account });
    const style = getComputedStyle(into);
    const card = stripe.elements().create("card", { style: { base: { color: style.color, fontSize: style.fontSize, fontFamily: style.fontFamily } } });
    card.mount(into);
    await new Promise<void>((done) => card.on("ready", done));
    return new CardFields(stripe, card);
  }

  async token(email: string): Promise<string> {
    if (this.#token?.for === email) return this.#token.id;
    const { paymentMethod, error } = await this.#stripe.createPaymentMethod({ type: "card", card: this.#card, billing_details: { email } });
    if (paymentMethod === undefined) throw new CardRefused(error?.message ?? "");
    this.#token = { for: email, id: paymentMethod.id };
    return paymentMethod.id;
  }

  close(): void {
    this.#card.destroy();
  }
}
