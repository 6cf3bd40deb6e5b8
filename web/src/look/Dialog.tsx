import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A question in front of the page; Escape and the first button say no. */
export function Dialog(props: { title: string; no: string; yes: string; onNo: () => void; onYes: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
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
