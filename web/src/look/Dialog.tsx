import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A question in front of the page; Escape and the first button say no. */
export function Dialog(props: { title: string; no: string; yes: string; onNo: () => void; onYes: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => requestAnimationFrame(() => before?.isConnected && document.activeElement === document.body && before.focus()); // it goes back where it came from
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={props.onNo}>
      <h2 id="asked">{props.title}</h2>
      {props.children}
      <div class="choices">
        <button type="button" onClick={props.onNo}>
          {props.no}
        </button>
        <button type="button" class="primary" onClick={props.onYes}>
          {props.yes}
        </button>
      </div>
    </dialog>
  );
}
