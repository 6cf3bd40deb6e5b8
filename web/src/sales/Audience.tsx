import { useState } from "preact/hooks";
import { audienceFile, type Group } from "../api/sales";
import { FileLink } from "../desk/FileLink";
import { sales as words } from "../messages/en";
import { count } from "../messages/format";
import { Table } from "../ops/Table";
import type { Sales } from "./model";

const text = words.audience;
const countries = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });

/** How old those are who hold tickets, and from where: what they have given, and no group that is small. */
export function Audience({ sales }: { sales: Sales }) {
  const [whole, setWhole] = useState(false);
  const { crowd: audience } = sales;
  if (!audience) return null;
  const of = whole && sales.standing ? { event: sales.standing.event.id } : { performance: sales.chosen };
  const name = (group: Group) => (group.name === "unknown" ? text.unknown : group.name === "others" ? text.others : undefined);
  const ages = audience.ages.map((each): [string, number] => [name(each) ?? text.age(each.name), each.people]);
  const places = audience.countries.map((each): [string, number] => [name(each) ?? countries.of(each.name) ?? each.name, each.people]);
  return (
    <section class="card audience" aria-labelledby="audience">
      <h2 id="audience">{text.heading}</h2>
      <p class="note">{text.lead}</p>
      {sales.standing && sales.standing.event.performances.length > 1 && (
        <label class="check">
          <input
            type="checkbox"
            checked={whole}
            disabled={sales.busy}
            onChange={(event) => {
              setWhole(event.currentTarget.checked);
              void sales.whoCame(event.currentTarget.checked);
            }}
          />
          {text.whole}
        </label>
      )}
      {audience.people === 0 ? (
        <p>{text.few}</p>
      ) : (
        <>
          <p>{text.all(count(audience.people))}</p>
          <div class="groups">
            <Groups id="ages" heading={text.ages} rows={ages} />
            <Groups id="countries" heading={text.countries} rows={places} />
          </div>
          <p>
            <FileLink href={audienceFile(of)} name="audience.csv" save={(href, name) => sales.download(href, name)}>
              {text.file}
            </FileLink>
          </p>
        </>
      )}
    </section>
  );
}

function Groups(props: { id: string; heading: string; rows: [string, number][] }) {
  return (
    <div>
      <h3 id={props.id}>{props.heading}</h3>
      <Table named={props.id} columns={[props.heading, text.people]}>
        {props.rows.map(([name, people]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{text.about(count(people))}</td>
          </tr>
        ))}
      </Table>
    </div>
  );
}
