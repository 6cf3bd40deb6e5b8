import { useEffect, useRef, useState } from "preact/hooks";
import { shop as words } from "../messages/en";
import { money } from "../messages/format";
import { SeatCanvas } from "./canvas";
import { Legend } from "./Legend";
import type { Picking } from "./model";
import { seatName } from "./name";
import type { Seat } from "./seats";
import type { Show } from "./show";

export function SeatMap({ shop, show }: { shop: Picking; show: Show }) {
  const element = useRef<HTMLCanvasElement>(null);
  const canvas = useRef<SeatCanvas | undefined>(undefined);
  const [pointed, point] = useState<Seat>();
  useEffect(() => {
    const drawn = new SeatCanvas(element.current!, show.chart, {
      state: (unit) => shop.state(unit),
      onPick: (seat) => shop.pick(seat),
      onPoint: point,
    });
    canvas.current = drawn;
    return () => drawn.stop();
  }, [shop, show]);
  useEffect(() => canvas.current?.redraw());
  return (
    <div class="map">
      <canvas ref={element} role="img" aria-label={words.map.label} class={pointed ? "pointing" : ""} />
      <div class="zoom">
        <button type="button" aria-label={words.map.zoomIn} onClick={() => canvas.current?.zoomBy(1.6)}>
          +
        </button>
        <button type="button" aria-label={words.map.zoomOut} onClick={() => canvas.current?.zoomBy(1 / 1.6)}>
          −
        </button>
        <button type="button" aria-label={words.map.whole} onClick={() => canvas.current?.whole()}>
          ⤢
        </button>
      </div>
      <p class="pointed">{pointed ? <Pointed shop={shop} show={show} seat={pointed} /> : words.map.hint}</p>
      <Legend marks={show.chart.marks} />
    </div>
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
