import { file, saleFile } from "../api/sales";
import { FileLink } from "../desk/FileLink";
import { sales as words } from "../messages/en";
import { money } from "../messages/format";
import { Table } from "../ops/Table";
import type { Sales } from "./model";
import { linesOf } from "./standing";

const text = words.settlement;

/** What the orders came to: of the performance, and of the sale that sells it. */
export function Settlement({ sales }: { sales: Sales }) {
  const { settled } = sales;
  if (!settled) return null;
  const sale = sales.sale;
  const save = (href: string, name: string) => sales.download(href, name);
  const currencies = [...new Set([...settled.performance, ...settled.sale].map((each) => each.currency))];
  return (
    <section class="card settlement" aria-labelledby="settlement">
      <h2 id="settlement">{text.heading}</h2>
      {currencies.length === 0 && <p class="note">{words.moneyNone}</p>}
      {currencies.map((currency) => {
        const columns = [settled.performance, ...(sale ? [settled.sale] : [])].map((of) => of.find((each) => each.currency === currency));
        return (
          <Table key={currency} named="settlement" columns={[currency, text.performance, ...(sale ? [text.sale] : [])]}>
            {linesOf(columns).map((line) => (
              <tr key={line} class={line === "owed" || line === "net" ? "sum" : ""}>
                <th scope="row">{text.lines[line]}</th>
                {columns.map((column, i) => (
                  <td key={i}>{money({ amount: column?.[line] ?? 0, currency })}</td>
                ))}
              </tr>
            ))}
          </Table>
        );
      })}
      <p class="note">{text.note}</p>
      <p class="links">
        <FileLink href={file("accounting.csv", sales.chosen)} name="accounting.csv" save={save}>
          {text.file}
        </FileLink>
        {sale && (
          <FileLink href={saleFile(sale)} name="accounting.csv" save={save}>
            {text.saleFile}
          </FileLink>
        )}
      </p>
    </section>
  );
}
