import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Category, Found } from "../api/documents";
import { listing, search, type Wanted } from "../api/guide";
import { Refusal } from "../api/http";
import { soon, useAsking } from "../look/asking";
import { countryChoices } from "../look/choices";
import { common, home } from "../messages/en";
import { unanswered } from "../messages/problem";
import { Cards } from "./Card";
import { HomeTop } from "./HomeTop";
import { whereabouts } from "./near";
import { SearchBox } from "./SearchBox";
import { changed, major, minor, pageOf, wantedOf } from "./wanted";

const words = home.search;

/** What is on a page of what was found. */
const page = 24;
const radii = [5, 10, 25, 50, 100, 250, 500];
const currencies = ["EUR", "USD", "GBP", "BRL", "CAD", "CHF", "CZK", "DKK", "HUF", "JPY", "MXN", "NOK", "PLN", "SEK"];

export function SearchPage() {
  const [wanted, setWanted] = useState(wantedOf(location.search));
  const [found, setFound] = useState<Found>();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(true);
  const pages = useRef(1); // that are shown
  useEffect(() => {
    document.title = words.title;
    const back = () => setWanted(wantedOf(location.search));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const choose = (change: Wanted) => {
    const next = changed(wanted, change);
    if (pageOf(next) === pageOf(wanted)) return;
    history.pushState(null, "", pageOf(next));
    setWanted(next);
  };
  useEffect(() => {
    pages.current = 1;
  }, [wanted]);
  const look = useAsking(async (over) => {
    setBusy(true);
    try {
      const all = await search(wanted, page);
      for (let shown = 1; shown < pages.current && all.next; shown++) {
        const { entries, next } = await search(wanted, page, all.next);
        all.entries.push(...entries);
        all.next = next ?? "";
      }
      if (over()) return;
      setFound(all);
      setProblem("");
      setBusy(false);
      return;
    } catch (cause) {
      if (over()) return;
      setBusy(false);
      if (cause instanceof Refusal && cause.status === 422) {
        setFound({ entries: [] });
        return void setProblem(cause.message); // it says what cannot be meant
      }
      setProblem(unanswered(cause));
      return soon;
    }
  }, [wanted]);
  const more = () => {
    pages.current++;
    look();
  };
  return (
    <>
      <HomeTop />
      <main class="home">
        <h1>{words.heading}</h1>
        <SearchBox text={wanted.q ?? ""} find={(q) => choose({ q })} />
        <Filters wanted={wanted} choose={choose} />
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (found ? told(found, wanted) : common.loading)}
        </p>
        {found?.entries.length === 0 && pageOf(wanted) !== "/search" && (
          <p>
            <button type="button" onClick={() => choose(Object.fromEntries(Object.keys(wanted).map((name) => [name, ""])))}>
              {words.clear}
            </button>
          </p>
        )}
        <div aria-busy={busy}>{found && <Cards of={found.entries} level="h2" />}</div>
        {found?.next && (
          <p>
            <button type="button" onClick={more} disabled={busy}>
              {words.more}
            </button>
          </p>
        )}
      </main>
    </>
  );
}

function told(found: Found, wanted: Wanted): string {
  const all: string[] = [];
  if (found.corrected) all.push(words.corrected(found.corrected));
  if (found.ignored?.length) all.push(words.ignored(found.ignored.map((word) => `“${word}”`).join(", ")));
  if (found.entries.length > 0) all.push(words.found(found.entries.length, Boolean(found.next)));
  else all.push(pageOf(wanted) === "/search" ? words.nothing : words.nothingLess);
  return all.join(" ");
}

/** By kind, day, place, price and what is left. What is typed counts when it is complete: on leaving the field, or Enter. */
function Filters({ wanted, choose }: { wanted: Wanted; choose: (change: Wanted) => void }) {
  const [categories, setCategories] = useState<Category[]>([]);
  const [city, setCity] = useState(wanted.city ?? "");
  const currency = wanted.currency ?? currencies[0]!;
  const [prices, setPrices] = useState(typed(wanted, currency));
  const [unit, setUnit] = useState(currency);
  const [told, setTold] = useState("");
  useEffect(() => void listing().then((all) => setCategories(all.categories), () => {}), []); // one can look without
  useEffect(() => setCity(wanted.city ?? ""), [wanted.city]);
  useEffect(() => setPrices(typed(wanted, wanted.currency ?? unit)), [wanted.price_from, wanted.price_to, wanted.currency]);
  const narrowed = Object.keys(wanted).some((name) => name !== "q" && name !== "order");
  const [open, setOpen] = useState(narrowed);
  useEffect(() => {
    if (narrowed) setOpen(true); // and it stays so under the hands of whoever takes all of it away
  }, [narrowed]);
  const setAmounts = (of: string) => {
    setUnit(of);
    const [price_from, price_to] = [minor(prices.from, of), minor(prices.to, of)];
    const wrong = (prices.from.trim() !== "" && price_from === "") || (prices.to.trim() !== "" && price_to === "");
    setTold(wrong ? words.priceWrong : "");
    if (!wrong) choose({ price_from, price_to, currency: price_from + price_to === "" ? "" : of });
  };
  const price = (name: "from" | "to", label: string) => (
    <label>
      {label}
      <input
        name={`price-${name}`}
        inputMode="decimal"
        autocomplete="off"
        maxLength={10}
        value={prices[name]}
        onInput={(event) => setPrices({ ...prices, [name]: event.currentTarget.value })}
        onChange={() => setAmounts(unit)}
      />
    </label>
  );
  const here = async () => {
    const at = await whereabouts();
    setTold(at === undefined ? home.nearRefused : "");
    if (at !== undefined) choose({ near: at, radius: wanted.radius ?? "50" });
  };
  return (
    <details class="filters" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.filters}</summary>
      <form onSubmit={(event) => event.preventDefault()}>
        <Choice label={words.category} value={wanted.category ?? ""} of={[["", words.any], ...named(categories, wanted.category)]} choose={(category) => choose({ category })} />
        <Day label={words.from} value={wanted.from ?? ""} choose={(from) => choose({ from })} />
        <Day label={words.to} value={wanted.to ?? ""} choose={(to) => choose({ to })} />
        <label>
          {words.city}
          <input name="city" autocomplete="address-level2" maxLength={100} value={city} onInput={(event) => setCity(event.currentTarget.value)} onChange={() => choose({ city: city.trim() })} />
        </label>
        <Choice label={words.country} value={wanted.country ?? ""} of={[["", words.any], ...countryChoices(wanted.country ?? "")]} choose={(country) => choose({ country })} />
        {wanted.near ? (
          <Choice
            label={words.within}
            value={wanted.radius ?? "10"}
            of={[...radii.map((km): [string, string] => [String(km), words.radius(km)]), ["", words.anywhere]]}
            choose={(radius) => choose(radius === "" ? { near: "" } : { radius })}
          />
        ) : (
          <div class="beside">
            <button type="button" onClick={() => void here()}>
              {words.here}
            </button>
          </div>
        )}
        {price("from", words.atLeast)}
        <div class="price">
          {price("to", words.atMost)}
          <Choice label={words.currency} value={unit} of={(currencies.includes(unit) ? currencies : [...currencies, unit]).map((each) => [each, each])} choose={setAmounts} />
        </div>
        <Choice
          label={words.order}
          value={wanted.order ?? (wanted.q ? "relevant" : "popular")}
          of={(["relevant", "popular", "soonest"] as const).filter((each) => each !== "relevant" || wanted.q).map((each) => [each, words.orders[each]])}
          choose={(order) => choose({ order })}
        />
        <label class="check">
          <input type="checkbox" checked={wanted.available === "true"} onChange={(event) => choose({ available: event.currentTarget.checked ? "true" : "" })} />
          {words.left}
        </label>
      </form>
      <p class="note" role="status">
        {told}
      </p>
    </details>
  );
}

const typed = (of: Wanted, currency: string) => ({ from: major(of.price_from, currency), to: major(of.price_to, currency) });

/** Those within others behind them. What was chosen by the address is there, whatever there is. */
function named(all: Category[], chosen: string | undefined): [string, string][] {
  const name = (id: string) => all.find((each) => each.id === id)?.name ?? id;
  const list = all.map((each): [string, string] => [each.id, each.parent ? `${name(each.parent)}: ${each.name}` : each.name]);
  return chosen === undefined || all.some((each) => each.id === chosen) ? list : [...list, [chosen, chosen]];
}

function Choice(props: { label: string; value: string; of: [string, string][]; choose: (value: string) => void }) {
  const id = useId();
  return (
    <label for={id}>
      {props.label}
      <select id={id} value={props.value} onChange={(event) => props.choose(event.currentTarget.value)}>
        {props.of.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Day(props: { label: string; value: string; choose: (value: string) => void }) {
  return (
    <label>
      {props.label}
      <input type="date" value={props.value} max="9999-12-31" onChange={(event) => props.choose(event.currentTarget.value)} />
    </label>
  );
}
