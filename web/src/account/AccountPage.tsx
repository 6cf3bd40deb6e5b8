import { useEffect, useState } from "preact/hooks";
import * as api from "../api/account";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { Top } from "../look/Top";
import { account as words, common } from "../messages/en";
import { unanswered } from "../messages/problem";
import { Data } from "./Data";
import { Confirm, Forgot, Invited, Move, Reset, Second, SignIn, SignUp } from "./Door";
import { Following } from "./Following";
import { failedOf } from "./Joined";
import { backOf, letterOf } from "./letter";
import { Messages } from "./Messages";
import { Newsletters } from "./Newsletters";
import { Orders } from "./Orders";
import type { Own } from "./own";
import { ProfileForm } from "./Profile";
import { Security } from "./Security";

const parts = ["orders", "messages", "following", "newsletters", "profile", "security", "data"] as const;
type Part = (typeof parts)[number];

export function AccountPage({ at }: { at: string }) {
  const [letter, setLetter] = useState(letterOf(location.hash));
  useEffect(() => {
    const other = () => setLetter(letterOf(location.hash));
    addEventListener("hashchange", other);
    return () => removeEventListener("hashchange", other);
  }, []);
  const [mine, setMine] = useState<api.Mine | "nobody" | "off" | "erased">();
  const [problem, setProblem] = useState("");
  const [told, setTold] = useState("");
  const look = useAsking(async (over) => {
    if (mine === "erased") return;
    try {
      const found = await api.signedIn();
      if (over()) return;
      const back = backOf(location.search);
      if (found && at === "" && letter === undefined && back !== "") return void location.replace(back); // they are signed in already
      if (!found) await api.providers(); // before the form is shown that has them
      if (over()) return;
      setMine(found ?? "nobody");
      setProblem("");
    } catch (cause) {
      if (over()) return;
      if (cause instanceof Refusal && cause.status === 404) return void setMine("off");
      setProblem(unanswered(cause));
      return soon;
    }
  }, []);
  const opened = (text = "") => {
    history.replaceState(null, "", location.pathname + location.search); // the letter is used up
    setLetter(undefined);
    setTold(text);
    setMine(undefined);
    look();
  };
  const came = () => {
    if (letter?.purpose === "invited") {
      setMine(undefined);
      return look();
    }
    const back = backOf(location.search);
    if (back !== "") location.replace(back); // the sign-in is no place to go back to
    else if (at === "sign-up" || at === "forgot") location.assign("/account");
    else opened();
  };

  if (mine === "off") return <Message {...words.off} />;
  if (mine === "erased") return <Message {...words.data.done} />;
  if (letter?.purpose === "confirm") return door(<Confirm token={letter.token} done={came} />);
  if (letter?.purpose === "reset") return door(<Reset token={letter.token} done={() => opened(words.reset.done)} />);
  if (letter?.purpose === "email") return door(<Move token={letter.token} />);
  if (letter?.purpose === "second") return door(<Second done={came} over={() => opened(words.second.over)} />);
  if (letter?.purpose === "forgot" || at === "forgot") return door(<Forgot />);
  if (mine === undefined) {
    return door(
      <main class="account">
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || common.loading}
        </p>
      </main>,
    );
  }
  const failed = letter?.purpose === "failed" ? failedOf(letter.token) : "";
  const next = letter?.purpose === "invited" ? `/account${location.hash}` : backOf(location.search) || location.pathname;
  if (mine === "nobody") return door(at === "sign-up" ? <SignUp /> : <SignIn told={letter?.purpose === "invited" ? words.invited.first : told} wrong={failed} next={next} done={came} />);
  if (letter?.purpose === "invited") {
    const used = () => history.replaceState(null, "", location.pathname + location.search);
    const leave = () => void api.signOut().then(look, look); // the letter stays
    return door(<Invited token={letter.token} email={mine.account.email} second={mine.account.second_factor} done={used} leave={leave} />);
  }
  const part = parts.find((each) => each === at) ?? "orders";
  const own: Own = { mine, changed: (now) => (now ? setMine(now) : look()) };
  const leave = () => void api.signOut().then(() => opened(), () => look());
  return (
    <>
      <Top>
        <button type="button" onClick={leave}>
          {words.signOut}
        </button>
      </Top>
      <main class="account">
        <Parts at={part} />
        {part === "orders" && <Orders {...own} />}
        {part === "following" && <Following {...own} />}
        {part === "messages" && <Messages {...own} />}
        {part === "newsletters" && <Newsletters {...own} />}
        {part === "profile" && <ProfileForm {...own} />}
        {part === "security" && <Security {...own} failed={failed} />}
        {part === "data" && <Data erased={() => setMine("erased")} />}
      </main>
    </>
  );
}

const door = (page: preact.ComponentChildren) => (
  <>
    <Top />
    {page}
  </>
);

function Parts({ at }: { at: Part }) {
  return (
    <nav class="parts" aria-label={words.nav.label}>
      {parts.map((each) => (
        <a key={each} href={`/account/${each}`} aria-current={each === at ? "page" : undefined}>
          {words.nav[each]}
        </a>
      ))}
    </nav>
  );
}

function Message(props: { heading: string; lead: string }) {
  return door(
    <main class="account">
      <h1>{props.heading}</h1>
      <p>{props.lead}</p>
      <p>
        <a class="button" href="/">
          {words.data.home}
        </a>
      </p>
    </main>,
  );
}
