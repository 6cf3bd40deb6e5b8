import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { type Place } from "../api/staff";
import { ByAccount } from "../look/ByAccount";
import { Desks } from "../look/Desks";
import { SignIn, type SignInWords } from "../look/SignIn";
import { Top } from "../look/Top";
import { staff as words } from "../messages/en";
import type { Staff } from "./working";

/** Whoever staff have to sign in to. */
interface Signing {
  staff: Staff;
  busy: boolean;
  problem: string;
  places: Place[];
  start: (key: string) => Promise<void>;
  leave: () => Promise<void>;
  workFor: (place: Place) => Promise<void>;
}

/** The page is open, or it is not known yet whether it is. */
export const isOpen = (of: Signing) => of.staff === "yes" || of.staff === "unknown";

/** What somebody sees to whom a page of the desk is not open. page: its classes. */
export function Door(props: { of: Signing; page: string; words: SignInWords }) {
  const { of } = props;
  const leave = (
    <button type="button" onClick={() => void of.leave()} disabled={of.busy}>
      {words.signOut}
    </button>
  );
  const back = location.pathname + location.search;
  if (of.staff === "second") {
    return (
      <Card page={props.page} {...words.second}>
        <a class="button primary" href={`/account/security?back=${encodeURIComponent(back)}`}>
          {words.second.go}
        </a>
        {leave}
      </Card>
    );
  }
  if (of.staff === "where") {
    return (
      <Card page={props.page} {...words.where}>
        <p class="wrong" role="alert">
          {of.problem}
        </p>
        {of.places.map((place) => (
          <button key={place.organization} type="button" onClick={() => void of.workFor(place)} disabled={of.busy}>
            {place.organization === undefined ? words.where.installation : place.name || words.where.unnamed}
          </button>
        ))}
        {leave}
      </Card>
    );
  }
  return (
    <SignIn page={props.page} words={props.words} problem={of.busy ? "" : of.problem} submit={(key) => of.start(key)}>
      {of.staff === "other" ? (
        <>
          <Desks staff />
          {leave}
        </>
      ) : (
        <ByAccount back={back} />
      )}
    </SignIn>
  );
}

function Card(props: { page: string; heading: string; lead: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <Top />
      <main class={props.page}>
        <section class="sign-in card">
          <h1 ref={heading} tabIndex={-1}>
            {props.heading}
          </h1>
          <p>{props.lead}</p>
          {props.children}
        </section>
      </main>
    </>
  );
}
