import { shop as words } from "../messages/en";
import { money } from "../messages/format";
import { ChartMap } from "./ChartMap";
import { Legend } from "./Legend";
import type { Picking } from "./model";
import { seatName } from "./name";
import type { Seat } from "./seats";
import type { Show } from "./show";

export function SeatMap({ shop, show }: { shop: Picking; show: Show }) {
  return (
    <ChartMap
      chart={show.chart}
      label={words.map.label}
      hint={words.map.hint}
      state={(unit) => shop.state(unit)}
      pick={(seat) => shop.pick(seat)}
      told={(seat) => <Pointed shop={shop} show={show} seat={seat} />}
    >
      <Legend marks={show.chart.marks} />
    </ChartMap>
  );
}

function Pointed({ shop, show, seat }: { shop: Picking; show: Show; seat: Seat }) {
  const tier = show.performance.tiers[seat.tier];
  return (
    <>
      <b>{seatName(seat)}</b>
      {` · ${tier ? money(tier.price) : ""} · ${words.seatState[shop.state(seat.unit)]}`}
    </>
  );
}
