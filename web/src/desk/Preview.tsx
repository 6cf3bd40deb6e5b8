import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../api/desk";
import { desk as words } from "../messages/en";
import type { Shown, State } from "../preview/shown";

const widths = { phone: 390, desktop: 1280 };

/** The waiting room itself, in a frame as wide as a fan's window. */
export function Preview({ page }: { page: Page | undefined }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<State>("waiting");
  const [width, setWidth] = useState<keyof typeof widths>("phone");
  const [dark, setDark] = useState(false);
  const [loaded, setLoaded] = useState(0);
  const [scale, setScale] = useState(1);
  useEffect(() => {
    const fit = () => setScale(Math.min(1, (box.current?.clientWidth ?? widths[width]) / widths[width]));
    fit();
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, [width]);
  useEffect(() => {
    if (page && loaded > 0) frame.current?.contentWindow?.postMessage({ page, state, dark } satisfies Shown, location.origin);
  }, [page, state, dark, loaded]);
  const choice = <T extends string>(label: string, value: T, of: Record<T, string>, set: (value: T) => void) => (
    <label>
      {label}
      <select value={value} onChange={(event) => set(event.currentTarget.value as T)}>
        {(Object.entries(of) as [T, string][]).map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="card part" aria-labelledby="preview">
      <h2 id="preview">{words.asShown}</h2>
      <div class="choices">
        {choice(words.state, state, words.states, setState)}
        {choice(words.width, width, { phone: words.phone, desktop: words.desktop }, setWidth)}
        {choice(words.scheme, dark ? "dark" : "light", { light: words.light, dark: words.dark }, (value) => setDark(value === "dark"))}
      </div>
      <div class="window" ref={box} style={{ height: `${800 * scale}px` }}>
        <iframe ref={frame} title={words.asShown} src="/desk/preview" width={widths[width]} height={800} style={{ transform: `scale(${scale})` }} onLoad={() => setLoaded((n) => n + 1)} />
      </div>
    </section>
  );
}
