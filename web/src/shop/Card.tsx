import { useEffect, useRef, useState } from "preact/hooks";
import type { Payment } from "../api/documents";
import { shop as words } from "../messages/en";
import { CardFields } from "./fields";

/** Where a card is typed in: a frame of the payment provider's. */
export function Card({ of, ready }: { of: Payment; ready: (fields: CardFields | undefined) => void }) {
  const into = useRef<HTMLDivElement>(null);
  const [failed, fail] = useState(false);
  const [opened, open] = useState(false);
  const [tries, again] = useState(0);
  useEffect(() => {
    let gone = false;
    let fields: CardFields | undefined;
    fail(of.publishable_key === undefined);
    if (of.publishable_key !== undefined) {
      CardFields.open(into.current!, of.publishable_key, of.account).then(
        (made) => {
          if (gone) return made.close();
          fields = made;
          open(true);
          ready(made);
        },
        () => !gone && fail(true),
      );
    }
    return () => {
      gone = true;
      ready(undefined);
      fields?.close();
    };
  }, [of, tries]);
  return (
    <div class="cardfield">
      <p id="card-label">{words.pay.card}</p>
      <div ref={into} class="typed" role="group" aria-labelledby="card-label" aria-busy={!opened && !failed} />
      {failed ? (
        <p class="wrong" role="alert">
          {of.publishable_key === undefined ? words.pay.elsewhere : words.pay.noFields}
          {of.publishable_key !== undefined && (
            <button type="button" onClick={() => again(tries + 1)}>
              {words.pay.again}
            </button>
          )}
        </p>
      ) : (
        <p class="note">{words.pay.byStripe}</p>
      )}
    </div>
  );
}
