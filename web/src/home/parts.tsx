import { picture } from "../api/guide";
import { home as words } from "../messages/en";
import { HomeTop } from "./HomeTop";

/** Text of several lines, by others: it is never markup. */
export function About({ text }: { text: string | undefined }) {
  return text ? (
    <p class="about" dir="auto">
      {text}
    </p>
  ) : null;
}

/** A picture above a page; what it shows is said beside it. */
export function Poster({ id }: { id: string | undefined }) {
  return id ? <img class="poster" src={picture(id, 800)} alt="" width={800} height={450} decoding="async" /> : null;
}

export function Missing() {
  return (
    <>
      <HomeTop />
      <main class="home">
        <h1>{words.missing.heading}</h1>
        <p>{words.missing.lead}</p>
        <p>
          <a class="button" href="/">
            {words.missing.home}
          </a>
        </p>
      </main>
    </>
  );
}
