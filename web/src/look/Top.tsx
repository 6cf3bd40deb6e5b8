import type { ComponentChildren } from "preact";
import { common } from "../messages/en";
import mark from "./mark.svg";

export function Top(props: { children?: ComponentChildren }) {
  return (
    <header class="top">
      <a class="brand" href="/">
        <img src={mark} alt="" width={28} height={28} />
        {common.brand}
      </a>
      {props.children}
    </header>
  );
}
