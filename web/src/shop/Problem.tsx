import { useEffect, useRef } from "preact/hooks";

/** What went wrong. On a small screen it may be far from what was pressed, so it comes into view. */
export function Problem({ text }: { text: string }) {
  const shown = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    if (text !== "") shown.current?.scrollIntoView({ block: "nearest" });
  }, [text]);
  return (
    <p class="wrong" role="alert" ref={shown}>
      {text}
    </p>
  );
}
