// Signing in with an account of somewhere else.
export const elsewhere = {
  label: "With another account",
  with: (title: string) => `Continue with ${title}`,
  lost: "No answer came. Check your connection and try again.",
  failed: {
    "sign-in-provider-away": "The other side does not answer. Try again in a moment, or sign in with your password.",
    "sign-in-flow-over": "That was begun in another browser or tab, or too long ago. Begin again.",
    "sign-in-refused": "The other side did not sign you in.",
    "sign-in-unlinked": "No account here is connected with that one. Sign in with your password first, and connect them under “Signing in”.",
    "sign-in-linked": "One of the two accounts is connected with another one already. Nothing was changed.",
    "signed-out": "You were signed out meanwhile. Sign in and begin again.",
  } as Record<string, string>,
  failedOther: "That did not work. Nothing was changed: begin again, or sign in with your password.",
};
