import { useEffect, useState } from "preact/hooks";
import * as api from "../api/coupons";
import type { Coupon } from "../api/documents";
import { usePages } from "../look/pages";
import { common, coupons as words } from "../messages/en";
import { CouponTop } from "./CouponTop";
import { amount, named, Worth } from "./Worth";

/** What is looked for is in the address, so that it can be sent and found again. */
function filterOf(search: string): api.Filter {
  const asked = new URLSearchParams(search);
  return { shop: asked.get("shop") ?? "", category: asked.get("category") ?? "", product: asked.get("product") ?? "" };
}

function addressOf(filter: api.Filter): string {
  const set = Object.entries(filter).filter(([, value]) => value !== "");
  return set.length === 0 ? "/coupons" : `/coupons?${new URLSearchParams(set)}`;
}

export function ShelfPage() {
  const [filter, setFilter] = useState(filterOf(location.search));

  const choose = (change: Partial<api.Filter>) => {
    const next = { ...filter, ...change };
    history.pushState(null, "", addressOf(next));
    setFilter(next);
  };
  useEffect(() => {
    const back = () => setFilter(filterOf(location.search));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);

  const { list, problem, busy, more } = usePages<Coupon>(
    async (cursor) => {
      const got = await api.browse(filter, cursor);
      return { list: got.coupons, next: got.next };
    },
    [filter],
  );

  return (
    <>
      <CouponTop at="shelf" />
      <main class="coupons">
        <h1>{words.shelf.heading}</h1>
        <p class="lead">{words.shelf.lead}</p>
        <Filters filter={filter} choose={choose} />
        <p class={problem ? "wrong told" : "note told"} role="status">
          {problem || (list ? told(list, more !== undefined, filter) : common.loading)}
        </p>
        {list?.length === 0 && addressOf(filter) !== "/coupons" && (
          <button type="button" onClick={() => choose({ shop: "", category: "", product: "" })}>
            {words.shelf.clear}
          </button>
        )}
        <ul class="shelf" aria-busy={busy}>
          {list?.map((coupon) => (
            <li key={coupon.id}>
              <Card coupon={coupon} />
            </li>
          ))}
        </ul>
        {more && (
          <button type="button" onClick={more} disabled={busy}>
            {words.shelf.more}
          </button>
        )}
      </main>
    </>
  );
}

function told(found: Coupon[], andMore: boolean, filter: api.Filter): string {
  if (found.length > 0) return words.shelf.found(found.length, andMore);
  return addressOf(filter) === "/coupons" ? words.shelf.none : words.shelf.noneOfThese;
}

interface Choices {
  shops: { id: string; name: string }[];
  categories: { category: string; coupons: number }[];
  products: { id: string; name: string; category: string }[];
}

function Filters({ filter, choose }: { filter: api.Filter; choose: (change: Partial<api.Filter>) => void }) {
  const [choices, setChoices] = useState<Choices>({ shops: [], categories: [], products: [] });
  const learn = (what: Partial<Choices>) => setChoices((before) => ({ ...before, ...what }));
  useEffect(() => {
    api.shops().then((shops) => learn({ shops }), () => {}); // the list itself says that nobody answers
  }, []);
  useEffect(() => {
    let stopped = false;
    api.categories(filter.shop).then((categories) => stopped || learn({ categories }), () => {});
    if (filter.shop === "") learn({ products: [] });
    else api.products(filter.shop).then((products) => stopped || learn({ products }), () => {});
    return () => {
      stopped = true;
    };
  }, [filter.shop]);
  const products = choices.products.filter((product) => filter.category === "" || product.category === filter.category);
  return (
    <form class="filters" role="search" aria-label={words.shelf.filter} onSubmit={(event) => event.preventDefault()}>
      <Choice name={words.shelf.shop} value={filter.shop} of={choices.shops.map((shop) => [shop.id, shop.name])} choose={(shop) => choose({ shop, category: "", product: "" })} />
      <Choice
        name={words.shelf.category}
        value={filter.category}
        of={choices.categories.map((each) => [each.category, named(each.category)])}
        choose={(category) => choose({ category, product: "" })}
      />
      <Choice
        name={words.shelf.product}
        value={filter.product}
        any={filter.shop === "" ? words.shelf.pickShop : words.shelf.any}
        off={filter.shop === ""}
        of={products.map((product) => [product.id, product.name])}
        choose={(product) => choose({ product })}
      />
    </form>
  );
}

/** One thing to look for. What was chosen by the address is there, whether or not anything of it is given out. */
function Choice(props: { name: string; value: string; of: [string, string][]; any?: string; off?: boolean; choose: (value: string) => void }) {
  const all = props.value === "" || props.of.some(([id]) => id === props.value) ? props.of : [...props.of, [props.value, named(props.value)] as [string, string]];
  return (
    <label>
      {props.name}
      <select value={props.value} disabled={props.off ?? false} onChange={(event) => props.choose(event.currentTarget.value)}>
        <option value="">{props.any ?? words.shelf.any}</option>
        {all.map(([id, text]) => (
          <option key={id} value={id}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Card({ coupon }: { coupon: Coupon }) {
  const gone = !coupon.drop && coupon.left === 0;
  return (
    <a class={`coupon ${gone ? "gone" : ""}`} href={`/coupons/${coupon.id}`} data-coupon={gone ? "gone" : "there"}>
      <Worth of={coupon} />
      <div class="front">
        <h2 dir="auto">{coupon.title}</h2>
        <p dir="auto">{`${coupon.shop_name} · ${coupon.product_name}`}</p>
        <p class="facts">
          <b>{coupon.price ? amount(coupon, coupon.price) : words.free}</b>
          <span class={gone ? "wrong" : ""}>{coupon.drop ? words.inSale : gone ? words.none : words.left(coupon.left ?? 0)}</span>
          <span>{coupon.shareable ? words.shareable : words.personal}</span>
        </p>
        <p class="note">{words.until(coupon.publish_until)}</p>
      </div>
    </a>
  );
}
