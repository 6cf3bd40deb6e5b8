import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { shop as words } from "../messages/en";
import { type Chart, type Handlers, SeatCanvas, type Tool } from "./canvas";
import type { Seat, SeatState } from "./seats";

interface Props {
  chart: Chart;
  label: string;
  hint: string;
  state: (unit: number) => SeatState;
  pick: (seat: Seat) => void;
  /** What is said of the seat under the pointer. */
  told: (seat: Seat) => ComponentChildren;
  /** What dragging does; undefined: it moves the map. */
  tool?: Tool;
  drag?: Handlers["onDrag"];
  /** Of whatever a tool that moves something would move. */
  outline?: Chart["box"] | undefined;
  children?: ComponentChildren;
}

/** The map of a house, to look at and to pick seats on: the shop's, and the desk's where it is drawn. */
export function ChartMap(props: Props) {
  const element = useRef<HTMLCanvasElement>(null);
  const canvas = useRef<SeatCanvas | undefined>(undefined);
  const now = useRef(props);
  now.current = props;
  const [pointed, point] = useState<Seat>();
  useEffect(() => {
    const drawn = new SeatCanvas(element.current!, now.current.chart, {
      state: (unit) => now.current.state(unit),
      onPick: (seat) => now.current.pick(seat),
      onPoint: point,
      onDrag: (path) => now.current.drag?.(path),
    });
    canvas.current = drawn;
    return () => drawn.stop();
  }, []);
  useEffect(() => {
    point(undefined);
    canvas.current?.show(props.chart);
  }, [props.chart]);
  useEffect(() => canvas.current?.hold(props.tool, props.outline));
  const mode = props.tool ? "drawing" : pointed ? "pointing" : "";
  return (
    <div class="map">
      <canvas ref={element} role="img" aria-label={props.label} class={mode} />
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
      <p class="pointed">{pointed ? props.told(pointed) : props.hint}</p>
      {props.children}
    </div>
  );
}
