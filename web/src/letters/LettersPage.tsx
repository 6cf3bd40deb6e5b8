import { useEffect, useState } from "preact/hooks";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Top } from "../look/Top";
import { common, letters as words } from "../messages/en";
import { Problem } from "../shop/Problem";
import { DeadLetters } from "./DeadLetters";
import { Editor } from "./Editor";
import { Letters } from "./model";
import { Newsletter } from "./Newsletter";
import { Posts } from "./Posts";

export function LettersPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [letters] = useState(() => new Letters(() => redraw((n) => n + 1)));
  useEffect(() => void letters.start(signInKey), []);
  if (!isOpen(letters)) return <Door of={letters} page="letters" words={words.signIn} />;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void letters.leave()} disabled={letters.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="letters" staff={letters.staff === "yes"} />
      <main class="letters">
        <h1>{words.heading}</h1>
        {letters.staff === "unknown" && letters.problem === "" && <p class="note">{common.loading}</p>}
        <Problem text={letters.problem} />
        <p class="said note" role="status">
          {letters.notice}
        </p>
        {letters.wording && <Editor letters={letters} />}
        {letters.newsletters && <Newsletter letters={letters} />}
        {letters.dead && <DeadLetters letters={letters} />}
        {letters.staff === "yes" && <Posts />}
      </main>
    </>
  );
}
