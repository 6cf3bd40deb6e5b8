import { useState } from "preact/hooks";
import { shop as words } from "../messages/en";
import type { Picking, Shop } from "./model";
import { SeatList } from "./SeatList";
import { SeatMap } from "./SeatMap";
import type { Show } from "./show";

/** Where seats are picked, on the map or in the list, and how old what is known of them is. */
export function Picker({ shop, show }: { shop: Picking & Pick<Shop, "asOf" | "stale">; show: Show }) {
  const [view, setView] = useState<"map" | "list">("map");
  return (
    <section class="picker card">
      <div class="bar">
        <div class="switch" role="group" aria-label={words.view.label}>
          {(["map", "list"] as const).map((each) => (
            <button key={each} type="button" aria-pressed={view === each} onClick={() => setView(each)}>
              {words.view[each]}
            </button>
          ))}
        </div>
        <p class={shop.stale ? "wrong" : "note"}>{shop.asOf && (shop.stale ? words.stale(shop.asOf) : words.asOf(shop.asOf))}</p>
      </div>
      {view === "map" ? <SeatMap shop={shop} show={show} /> : <SeatList shop={shop} show={show} />}
    </section>
  );
}
