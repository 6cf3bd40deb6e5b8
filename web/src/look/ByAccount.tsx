import { signOut as dropKey } from "../api/ops";
import { staff as words } from "../messages/en";
import { Elsewhere } from "./Elsewhere";

/** The ways in to a page of staff's for who has no key: back is that page. */
export function ByAccount({ back }: { back: string }) {
  const to = `/account?back=${encodeURIComponent(back)}`;
  const go = async (event: Event) => {
    event.preventDefault();
    await dropKey().catch(() => {}); // one that is over would count before the account
    location.assign(to);
  };
  return (
    <>
      <p>
        {words.or}{" "}
        <a href={to} onClick={(event) => void go(event)}>
          {words.account}
        </a>
      </p>
      <Elsewhere next={back} first={() => dropKey().catch(() => {})} />
    </>
  );
}
