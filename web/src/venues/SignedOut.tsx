import { useState } from "preact/hooks";
import { SignIn } from "../look/SignIn";
import { venues as words } from "../messages/en";
import type { Staff } from "./model";

/** Whoever staff have to sign in to. */
interface Signing {
  staff: Staff;
  busy: boolean;
  problem: string;
  start: (key: string) => Promise<void>;
}

export function SignedOut({ of }: { of: Signing }) {
  const [tried, setTried] = useState(false);
  const submit = (key: string) => {
    setTried(true);
    return of.start(key);
  };
  const problem = of.staff === "other" ? words.signIn.other : tried ? of.problem || words.signIn.wrong : "";
  return <SignIn page="shop venues" words={words.signIn} problem={of.busy ? "" : problem} submit={submit} />;
}
