import type { ComponentChildren } from "preact";

/** A table that is moved sideways where it is wider than the page, with the keyboard, too. named: the id of its heading. */
export function Table(props: { named: string; columns: string[]; children: ComponentChildren }) {
  return (
    <div class="wide" tabIndex={0} role="group" aria-labelledby={props.named}>
      <table>
        <thead>
          <tr>
            {props.columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}
