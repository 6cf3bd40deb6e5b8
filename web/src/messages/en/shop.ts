import { clock, count, moment, plural, timeOfDay } from "../format.ts";

const seats = (n: number) => `${count(n)} ${plural(n, { one: "seat", other: "seats" })}`;
const places = (n: number) => `${count(n)} ${plural(n, { one: "place", other: "places" })}`;

const span = (seconds: number) =>
  seconds < 100
    ? `${count(seconds)} ${plural(seconds, { one: "second", other: "seconds" })}`
    : seconds < 100 * 60
      ? `${count(Math.ceil(seconds / 60))} minutes`
      : `${count(Math.ceil(seconds / 3600))} hours`;
const asks = (reference: string) => (reference === "" ? "" : ` If this is a mistake, write to the organizer and give this reference: ${reference}`);

export const shop = {
  title: "Shop · Ropeline",
  noscript: "The shop needs JavaScript. Please switch it on and load the page again; your turn goes on meanwhile.",
  leave: "I am done",
  leaveAsk: {
    heading: "Leave the shop?",
    lead: "Your turn ends and the next person comes in. To come back, you stand behind whoever waits then.",
    held: "The seats in your basket go back on sale.",
    stay: "Stay",
    go: "Leave the shop",
  },
  sessionEnds: (ms: number) => `Your turn ends in ${clock(ms)}`,
  performance: "Performance",
  startsAt: (at: string) => moment(at),

  asOf: (at: Date) => `As of ${timeOfDay(at)}, may be a second old`,
  stale: (at: Date) => `No connection. This is how it was at ${timeOfDay(at)}`,

  view: { label: "How to pick", map: "Map", list: "List" },
  map: {
    label: "Seat map. The same seats are in the list, where they can be picked with the keyboard.",
    stage: "Stage",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    whole: "Whole map",
    hint: "Tap a seat to pick it. Drag to move, pinch or scroll to zoom.",
  },
  legend: {
    heading: "What the marks mean",
    free: "Free",
    held: "Held, may return",
    sold: "Sold",
    closed: "Not for sale",
    picked: "Picked by you",
    mine: "Held for you",
    accessible: "Wheelchair space",
    companion: "Companion seat",
    restricted: "Restricted view",
  },
  seat: (section: string, row: string, seat: string) => `${section}, row ${row}, seat ${seat}`,
  seatMark: { accessible: "wheelchair space", companion: "companion seat", restricted: "restricted view" },
  seatSign: { accessible: "wheelchair", companion: "companion", restricted: "view" },
  seatState: { free: "free", held: "held by somebody, may return", sold: "sold", closed: "not for sale", picked: "picked", mine: "held for you" },
  list: {
    heading: "Seats by section and row",
    section: "Section",
    row: (row: string, free: number) => `Row ${row}, ${free === 0 ? "nothing free" : `${count(free)} free`}`,
    free: (n: number) => `${count(n)} free`,
  },

  tiers: {
    heading: "Prices",
    allIn: "What you see is what you pay.",
    allInOf: { both: (rate: string) => `What you see is what you pay: the booking fee and ${rate} tax are in these prices.`, fee: "What you see is what you pay: the booking fee is in these prices.", tax: (rate: string) => `What you see is what you pay: ${rate} tax is in these prices.` },
    left: (free: number, held: number) => (held > 0 ? `${count(free)} free, ${count(held)} held` : `${count(free)} free`),
    none: "Sold out",
    closed: "Nothing for sale now",
    maybe: (held: number) => `All taken, ${count(held)} held: some may return`,
    best: "Best available",
    bestFor: (tier: string) => `Best available in ${tier}`,
    general: "Standing, no numbered seats",
    quantity: (tier: string) => `How many: ${tier}`,
    take: "Hold",
    takeFor: (n: number, tier: string) => `Hold ${places(n)}: ${tier}`,
  },

  basket: {
    heading: "Your basket",
    empty: "Nothing yet. Pick seats on the map, or take the best available.",
    limit: (n: number) => `Up to ${count(n)} at a time.`,
    picked: (n: number) => `${seats(n)} picked, not held yet`,
    hold: (n: number) => `Hold ${seats(n)}`,
    clear: "Clear",
    held: (n: number) => `${places(n)} held for you`,
    remaining: "Held for",
    extend: "More time",
    extended: "You have more time now.",
    soon: (minutes: number) => `${count(minutes)} ${plural(minutes, { one: "minute", other: "minutes" })} left to pay.`,
    drop: "Give back",
    total: "Total",
    checkout: "Go to payment",
    full: (n: number) => `That is the limit: ${seats(n)} at a time.`,
  },

  problem: {
    taken: "Somebody was faster: at least one of these seats is taken. Nothing is held; please pick again.",
    soldOut: "There are not enough left for that. Please pick something else.",
    exists: "You already hold places. Pay for them or give them back first.",
    tooMany: "That is more than this sale allows at a time.",
    price: "The price has changed since you saw it. Nothing is charged and your seats are still held: please look at the new price.",
    inAll: "That would be more than one person may have in this sale, with what you bought before.",
    holdExpired: "The time for these seats ran out, so they went back on sale. Please pick again.",
    notExtendable: "This cannot be extended further.",
    email: "Please enter an e-mail address, such as name@example.com.",
    declined: "The payment was declined. Your seats are still held: check the card or use another one.",
    slowed: {
      holds: (wait: number) => `You have taken places and not bought them many times. To leave some to others, please wait ${span(wait)}, then choose again.`,
      payments: (wait: number) => `Several payments did not go through, or very many were begun. This one is not charged. Please wait ${span(wait)}, then try again.`,
      network: (wait: number) => `Very many tries have come from your network, which you may share with others. Please wait ${span(wait)}, then try again.`,
      card: (wait: number) => `This card was tried several times. Nothing is charged and your places are still held. Use another card, or wait ${span(wait)}.`,
    },
    blocked: {
      holds: (wait: number, reference: string) =>
        `You have taken places and not bought them too often, so you cannot take any more for ${span(wait)}. What you hold and what you have bought is yours.${asks(reference)}`,
      payments: (wait: number, reference: string) =>
        `Too many payments did not go through, so you cannot pay for ${span(wait)}. Nothing is charged, and what you have bought is yours.${asks(reference)}`,
      network: (wait: number, reference: string) =>
        `Too many tries have come from your network, so nobody can buy from it for ${span(wait)}. You may share it with others: another one, such as your phone’s, may work. What you have bought is yours.${asks(reference)}`,
      card: (wait: number, reference: string) => `This card was declined too often and cannot be used for ${span(wait)}. Nothing is charged and your places are still held: use another card.${asks(reference)}`,
      staff: (wait: number, reference: string) => `The organizer has stopped you from buying for ${span(wait)}. What you have bought is yours.${asks(reference)}`,
    },
    cardLimit: "That would be more tickets than one card may pay for in this sale. Nothing is charged and your places are still held: use another card.",
    networkLimit: "That would be more tickets than may be bought from one network in this sale. Nothing is charged. Use another network, or write to the organizer.",
    unclear: "We did not hear back about the payment. Trying again does not charge twice.",
  },

  pay: {
    heading: "Payment",
    email: "E-mail for the tickets",
    newsletter: "The organizer may send me a newsletter now and then. A link in each one ends it.",
    account: (email: string) => `You are signed in as ${email}. This order will be in your account.`,
    guest: "You buy as a guest.",
    signIn: "Sign in first",
    guestMay: "if this order is to be in your account. Your places stay held.",
    method: "Test card",
    methods: {
      sandbox_ok: { name: "Test card: accepted", about: "The payment goes through." },
      sandbox_declined: { name: "Test card: declined", about: "The bank says no." },
      sandbox_slow: { name: "Test card: slow", about: "The bank takes two seconds." },
      sandbox_action: { name: "Test card: asks first", about: "The bank’s page comes between, and asks." },
    },
    sandbox: "This is a sandbox. No card is charged.",
    card: "Card",
    byStripe: "The card is typed in at Stripe, the payment provider. Its number never reaches us.",
    noFields: "The payment provider’s fields did not load. Your places are still held.",
    again: "Try again",
    elsewhere: "Cards cannot be typed in on this page. Your places are still held.",
    cardWrong: "The payment provider does not take this card. Look at its number and date.",
    pay: (total: string) => `Pay ${total}`,
    paying: "Paying…",
    waits: "Your bank has not said yes yet. The places are yours meanwhile.",
    confirm: "Go to your bank",
    orElse: "Or pay in another way. Only one payment goes through.",
    back: "Back to the seats",
  },

  paid: {
    heading: "It’s done",
    lead: (n: number) => `${count(n)} ${plural(n, { one: "ticket is", other: "tickets are" })} yours.`,
    pending: "The payment is being confirmed. Your tickets show up on the order page.",
    see: "See your tickets",
    keep: "Keep the address of that page: it is the key to your tickets.",
    mine: "This order is in your account, too",
    more: "Buy more",
    done: "I am done",
    doneNote: "Leaving lets the next person in.",
  },
  earlier: "Your orders",
  order: (at: string) => `Order of ${moment(at)}`,

  closed: {
    never: { heading: "You are not admitted yet", lead: "This browser has no admission to the shop right now. The waiting room says when you can come in." },
    over: { heading: "Your turn is over", lead: "The time in the shop has run out, or it was ended. Seats that were held went back on sale. What you paid for is yours." },
    left: { heading: "You have left the shop", lead: "Thank you. The next person is coming in." },
    missing: { heading: "There is nothing here", lead: "There is no such sale, or nothing is sold in it yet." },
    back: "To the waiting room",
  },
};
