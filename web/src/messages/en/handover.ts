import { hour } from "../format.ts";

export const handover = {
  heading: "Move to another device",
  watching: "Bring the place here",
  lead: "Open this on the other device: scan the picture, or type the code there. The place is then on that device, and here you can only watch it.",
  qr: "QR code that opens the line on another device",
  until: (at: string) => `The code works once, until ${hour(at)}, and ends when it is your turn.`,
  enter: "Code that the other device shows",
  bring: "Bring it here",
  close: "Close",
  wait: "Making a code…",
  letter: {
    ask: "Or have an e-mail sent when it is nearly your turn",
    note: "One e-mail, with a link that opens your place on any device. Whoever opens it first has the place. We forget the address then.",
    send: "E-mail me",
    comes: (email: string, minutes: number) => `We write to ${email} about ${minutes} minutes before your turn.`,
  },

  taking: { heading: "Moving the place here…", lead: "It keeps its position." },
  held: {
    heading: "You stand in this line already",
    lead: "This device has a place of its own. To take the other one, give yours up for good.",
    keep: "Keep mine",
    take: "Take the other",
  },
  failed: { heading: "The place was not moved", again: "Try again", stay: "Stand in line here" },
};
