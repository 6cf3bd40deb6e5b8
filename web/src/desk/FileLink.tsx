import type { ComponentChildren } from "preact";
import { chosen } from "../api/staff";

/** A link to a file. A link cannot say for which organization it asks: of who chose one, the page asks. */
export function FileLink(props: { href: string; name: string; look?: string; save: (href: string, name: string) => Promise<void>; children: ComponentChildren }) {
  const go = (event: Event) => {
    if (chosen() === "") return;
    event.preventDefault();
    void props.save(props.href, props.name);
  };
  return (
    <a class={props.look} href={props.href} download={props.name} onClick={go}>
      {props.children}
    </a>
  );
}
