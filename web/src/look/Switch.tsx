import { choose, chosen, chosenName } from "../api/staff";
import { desks as words } from "../messages/en";

/** For whom somebody works who works for several, and the way to another: the page asks for whom, then. */
export function Switch() {
  if (chosen() === "") return null;
  const other = () => {
    choose("");
    location.reload();
  };
  return (
    <button type="button" onClick={other}>
      {words.other(chosenName() || words.installation)}
    </button>
  );
}
