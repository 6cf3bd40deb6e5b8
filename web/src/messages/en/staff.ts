// Who is let in to the desk, and who is not yet.
export const staff = {
  or: "Or without a key:",
  account: "Sign in with your account",
  over: "Your sign-in is over. Sign in again.",
  taken: "You may not do this any more: your role here was taken or changed. Ask an organizer of yours.",
  none: "You are signed in, but have no role that opens this page. What is open to you is below, if anything is. Ask an organizer of yours, or sign out and come in as somebody else.",
  signOut: "Sign out",
  second: {
    heading: "One more step before you can work",
    lead: "Your account works here, and that takes a second factor: a code of an app on your phone, beside your password.",
    go: "Set up a second factor",
  },
  where: {
    heading: "For whom do you work now?",
    lead: "You work for several. What you see and do here is that one's, in this tab, until you sign out.",
    installation: "The whole installation",
    unnamed: "Another organization",
    gone: "You do not work any more for whom you had chosen.",
    none: "There is no organization any more for which you have a role on this page.",
  },
};
