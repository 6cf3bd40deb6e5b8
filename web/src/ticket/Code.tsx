import { correction, generate } from "lean-qr";
import { useEffect, useState } from "preact/hooks";
import { codeOf, type Of, period, periodOf } from "./code";

const quiet = 4; // modules of white around the code, which scanners need

/** A code that is signed anew as long as it is shown. now: by the server's clock, ms. */
export function Code({ signer, of, now, label }: { signer: CryptoKey; of: Of; now: () => number; label: string }) {
  const [text, setText] = useState("");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const draw = async () => {
      clearTimeout(timer);
      const signed = await codeOf(signer, of, periodOf(now()));
      if (over) return;
      setText(signed);
      timer = setTimeout(draw, period - (now() % period) + 5);
    };
    const seen = () => document.visibilityState === "visible" && void draw(); // timers sleep with the phone
    void draw();
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [signer, of.ticket, of.issue]);
  return (
    <>
      <Square text={text} label={label} />
      {/* How long this one is shown; begun where the period is. */}
      <span key={text} class="runs" aria-hidden="true" style={{ animationDelay: `-${now() % period}ms` }} />
    </>
  );
}

/** Any text as a QR code. */
export function Square({ text, label }: { text: string; label: string }) {
  if (text === "") return <svg class="square" viewBox="0 0 49 49" />;
  const code = generate(text, { minCorrectionLevel: correction.M, maxCorrectionLevel: correction.M });
  let path = "";
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) path += `M${x + quiet} ${y + quiet}h1v1h-1z`;
    }
  }
  const size = code.size + 2 * quiet;
  return (
    <svg class="square" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shape-rendering="crispEdges" data-code={text}>
      <path d={path} />
    </svg>
  );
}
