import { clock, count, hour, moment, plural } from "../format.ts";

const people = (n: number) => `${count(n)} ${plural(n, { one: "person", other: "people" })}`;
const minutes = (n: number) => `${count(n)} ${plural(n, { one: "minute", other: "minutes" })}`;

export const waiting = {
  title: "Waiting room · Ropeline",
  noscript: "Go on without JavaScript",

  link: {
    connecting: "Connecting…",
    live: "Live",
    polling: "Checking now and then",
    lost: "Connection lost",
    over: "Disconnected",
  },
  lostNote: "Your place is safe. It is kept on our side, and this page keeps trying to reach it.",

  joining: { eyebrow: "Welcome", lead: "Finding your way in…" },

  lobby: {
    eyebrow: "The lobby",
    headline: "Opens in",
    opening: "Opening…",
    entrants: (n: number) => `${people(n)} ${plural(n, { one: "is", other: "are" })} in the lobby`,
    opensAt: (at: string) => `Opens ${moment(at)}`,
    note: "You are in. At the opening, the order is drawn by lot among everybody in the lobby: coming earlier or reloading the page changes nothing. Whoever comes later stands behind.",
  },

  draw: "How the draw works, and how to check it",

  drawing: {
    eyebrow: "The draw",
    headline: "Drawing the order",
    lead: "The lobby is closed. Everybody in it gets a place by lot; yours appears here in a few seconds.",
    entrants: (n: number) => `${people(n)} in the draw`,
  },

  waiting: {
    eyebrow: "In line",
    headline: (n: number) => plural(n, { one: "person ahead of you", other: "people ahead of you" }),
    next: "You are next",
    back: "You were away when your turn came. You go next",
    reentry: "You come back in. You go next",
    kept: "Your place is kept",
    together: "Your party goes next, once all of you fit in",
    tooLarge: "Your party is larger than what is let in at once",
    comebacks: (n: number) => `; ${people(n)} who were away when their turn came ${plural(n, { one: "goes", other: "go" })} first`,
    opensIn: (ms: number) => `The doors open in ${clock(ms)}`,
    wait: (low: number, high: number) => {
      const [from, to] = [Math.floor(low / 60), Math.ceil(high / 60)];
      if (to <= 1) return "About a minute or less to go";
      if (from < 1) return `Less than ${minutes(to)} to go`;
      return from === to ? `About ${minutes(to)} to go` : `About ${count(from)} to ${minutes(to)} to go`;
    },
    longer: {
      limits: ". Longer than before: fewer people are let in",
      returns: ". Longer than before: people who were away go first",
      parties: ". Longer than before: groups go in together",
      lanes: ". Longer than before: people came into another lane",
      slower: ". Longer than before: the line moves more slowly",
      restored: ". Longer than before: the line was put together again",
    },
    noWait: "We say how long it takes as soon as the line moves",
    entrants: (n: number) => `${people(n)} in line altogether`,
    progress: "Your way to the front",
    progressText: (percent: number) => `${count(percent)} percent of the way`,
    note: (claimSeconds: number | undefined) =>
      "Your place is kept if you reload, lose the connection or close this page. When it is your turn, be here: you have " +
      `${claimSeconds === undefined ? "a short while" : `${count(claimSeconds)} seconds`} to come in.`,
  },

  /** Where nobody waits until the shop is full. */
  net: {
    eyebrow: "The shop is busy",
    order: "First come, first served: nothing is drawn. When there is room in the shop, the first in line goes in.",
  },

  trouble: {
    heading: "One moment, please",
    away: "We cannot reach our records right now. Your place is safe: this page holds proof of it.",
    settling: "We lost our records of the line and are putting it together again, in its old order. Your place is safe; stay here.",
  },

  paused: {
    heading: "The line is paused",
    reason: (reason: string) => `“${reason}”`,
    wait: "The wait goes on when the line does",
    noReason: {
      pause: "No reason was given.",
      queue: "No reason was given. Nobody goes past the line.",
      stop: "No reason was given. Those inside wait as well; nobody loses time.",
    },
    keep: "Everybody keeps their place. Nobody goes in until it moves on.",
  },

  offered: {
    eyebrow: "Your turn",
    headline: "It’s your turn",
    lead: "Come in before the time runs out. If you don’t, your place goes to the next in line.",
    left: "Time left to come in",
    claim: "Come in",
    claiming: "Opening the rope…",
  },

  active: {
    eyebrow: "Admitted",
    headline: "You are in",
    lead: (endsAt: string) => `Your time in the shop ends at ${hour(endsAt)} at the latest.`,
    shop: "Go to the shop",
  },

  passed: {
    eyebrow: "You were away",
    headline: "Your turn came while you were away",
    lead: "You are back in time. You go to the front of the line.",
  },

  expired: {
    eyebrow: "Turn missed",
    headline: "Your turn has passed",
    return: "Back to the front",
  },
  left: {
    eyebrow: "Left",
    headline: "You have left the line",
  },
  done: {
    eyebrow: "Finished",
    headline: "Your time in the shop is over",
    rejoin: "Come again",
  },
  reentry: {
    eyebrow: "Our mistake",
    headline: "You can come back in",
    rejoin: "Come back in",
  },
  rejoin: "Stand in line again",

  gone: {
    eyebrow: "Place unknown",
    headline: "This place is no longer known",
  },
  ended: {
    eyebrow: "Over",
    headline: "This sale has ended",
    others: "See other sales",
  },
  unknown: {
    eyebrow: "Not found",
    headline: "There is no such sale",
  },
  failed: { eyebrow: "Not joined yet", headline: "We could not add you to the line yet" },

  elsewhere: {
    headline: "Your place is on another device",
    offered: "It’s your turn there",
    active: "You are in there",
    note: "Here you can only watch it.",
    back: "Bring it back here",
  },
  move: "Another device or e-mail",
  invite: "Invite friends",
  party: (n: number) => `Party of ${count(n)}`,
  leave: "Leave the line",

  announce: {
    ahead: (n: number) => `${people(n)} ahead of you.`,
    moved: "The line moves on.",
  },
  tab: {
    lobby: (ms: number, sale: string) => `${clock(ms)} · ${sale}`,
    ahead: (n: number, sale: string) => `${count(n)} ahead · ${sale}`,
    paused: (sale: string) => `Paused · ${sale}`,
    turn: "It’s your turn!",
    turnLeft: (ms: number) => `${clock(ms)} to come in`,
  },
};
