import { useEffect, useState } from "preact/hooks";
import type { Coupon } from "../api/documents";
import { Worth } from "../coupons/Worth";
import { Door, isOpen } from "../desk/Door";
import { Desks } from "../look/Desks";
import { Dialog } from "../look/Dialog";
import { Top } from "../look/Top";
import { common, offers as words } from "../messages/en";
import { count, moment, money } from "../messages/format";
import { Problem } from "../shop/Problem";
import { shown } from "../setup/zone";
import { Offers } from "./model";
import { slug, termsOf, type Typed, type Wrong } from "./terms";

export function OffersPage({ signInKey }: { signInKey: string }) {
  const [, redraw] = useState(0);
  const [offers] = useState(() => new Offers(() => redraw((n) => n + 1)));
  useEffect(() => void offers.start(signInKey), []);
  if (!isOpen(offers)) return <Door of={offers} page="shop sales" words={words.signIn} />;
  const { shops } = offers;
  return (
    <>
      <Top>
        <button type="button" onClick={() => void offers.leave()} disabled={offers.staff !== "yes"}>
          {words.signOut}
        </button>
      </Top>
      <Desks here="coupons" staff={offers.staff === "yes"} />
      <main class="shop sales offers">
        <div class="heading">
          <h1>{words.heading}</h1>
          {shops === undefined && <p class="note">{common.loading}</p>}
        </div>
        <Problem text={offers.problem} />
        <p class="said" role="status">
          {offers.notice}
        </p>
        {shops && shops.length > 1 && (
          <label class="choice">
            {words.shop}
            <select value={offers.chosen} onChange={(event) => void offers.choose(event.currentTarget.value)} disabled={offers.busy}>
              {shops.map((each) => (
                <option key={each.id} value={each.id}>
                  {each.name}
                </option>
              ))}
            </select>
          </label>
        )}
        {shops?.length === 0 && <First offers={offers} />}
        {offers.chosen !== "" && shops && (
          <div class="figures">
            <List offers={offers} />
            <New key={offers.chosen} offers={offers} />
          </div>
        )}
      </main>
    </>
  );
}

/** Who gives coupons out has a name that fans read. */
function First({ offers }: { offers: Offers }) {
  const [name, setName] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    if (slug(name) !== "") void offers.open(name.trim());
  };
  return (
    <form class="card part" onSubmit={submit}>
      <h2>{words.first}</h2>
      <p class="note">{words.firstLead}</p>
      <label>
        {words.shopName}
        <input name="shop" maxLength={100} autocomplete="organization" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={offers.busy || slug(name) === ""}>
        {words.openShop}
      </button>
    </form>
  );
}

function List({ offers }: { offers: Offers }) {
  return (
    <section class="card" aria-labelledby="coupons">
      <h2 id="coupons">{words.coupons}</h2>
      {offers.coupons.length === 0 && <p class="note">{words.none}</p>}
      <ul class="sent">
        {offers.coupons.map((each) => (
          <Line key={each.id} offers={offers} coupon={each} />
        ))}
      </ul>
      {offers.moreCoupons !== "" && (
        <button type="button" disabled={offers.busy} onClick={() => void offers.older()}>
          {words.more}
        </button>
      )}
    </section>
  );
}

function Line({ offers, coupon }: { offers: Offers; coupon: Coupon }) {
  const [asked, ask] = useState(false);
  const [reason, setReason] = useState("");
  const [wrong, setWrong] = useState("");
  const report = offers.report?.of === coupon.id ? offers.report.is : undefined;
  const withdraw = () => {
    if (reason.trim() === "") return setWrong(words.why);
    ask(false);
    void offers.withdraw(coupon.id, reason.trim());
  };
  return (
    <li>
      <p>
        <b dir="auto">{coupon.title}</b> <span class="note">{`${coupon.product_name} · ${words.states[coupon.state]}`}</span>
      </p>
      <Worth of={coupon} />
      <p class="note">{words.window(moment(coupon.publish_from), moment(coupon.publish_until), moment(coupon.expires_at))}</p>
      <p>{words.stockOf(count(coupon.stock), coupon.left === undefined ? undefined : coupon.left >= 1000 ? words.many : count(coupon.left))}</p>
      <p class="acts">
        {coupon.state === "created" && !coupon.price && (
          <button type="button" class="primary" disabled={offers.busy} aria-label={words.about(words.publish, coupon.title)} onClick={() => void offers.publish(coupon.id)}>
            {words.publish}
          </button>
        )}
        <button type="button" disabled={offers.busy} aria-label={words.about(words.look, coupon.title)} onClick={() => void offers.look(coupon.id)}>
          {words.look}
        </button>
        {(coupon.state === "created" || coupon.state === "published") && (
          <button type="button" disabled={offers.busy} aria-label={words.about(words.withdraw, coupon.title)} onClick={() => ask(true)}>
            {words.withdraw}
          </button>
        )}
      </p>
      {report && (
        <dl aria-live="polite">
          {Object.entries(words.queues).map(([state, name]) => (
            <div key={state}>
              <dt>{name}</dt>
              <dd>{count(report.queues[state] ?? 0)}</dd>
            </div>
          ))}
          <div>
            <dt>{words.discount}</dt>
            <dd>{money(report.discount)}</dd>
          </div>
        </dl>
      )}
      {asked && (
        <Dialog title={words.askWithdraw(coupon.title)} no={words.keep} yes={words.withdrawYes} onNo={() => ask(false)} onYes={withdraw}>
          <p>{words.withdrawLead}</p>
          <label>
            {words.reason}
            <input name="why" maxLength={200} autocomplete="off" value={reason} onInput={(event) => setReason(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && withdraw()} />
          </label>
          <p class="wrong" role="alert">
            {wrong}
          </p>
        </Dialog>
      )}
    </li>
  );
}

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;
const ahead = (days: number) => shown(new Date(Date.now() + days * 86_400_000), zone());
const blank = (): Typed => ({ title: "", event: "", kind: "percent", worth: "", currency: "EUR", stock: "", person: "1", shareable: true, from: ahead(0), until: ahead(7), expires: ahead(30) });

/** A coupon is made of this; nobody sees it before it is given out. */
function New({ offers }: { offers: Offers }) {
  const [typed, setTyped] = useState(blank);
  const [wrong, setWrong] = useState<Wrong | undefined>();
  const set = (change: Partial<Typed>) => setTyped({ ...typed, ...change });
  const submit = async (event: Event) => {
    event.preventDefault();
    const of = offers.events.find((each) => each.id === typed.event);
    const product = of ? { id: of.id, name: of.title, category: "tickets", event: of.id } : { id: "till", name: words.till, category: "till" };
    const terms = termsOf(typed, product.id);
    setWrong(typeof terms === "string" ? terms : undefined);
    if (typeof terms === "string") return document.querySelector<HTMLElement>(`.offers [name="${terms}"]`)?.focus();
    if (await offers.make(product, terms)) setTyped(blank());
  };
  const field = (name: Wrong, more: { type?: "text" | "datetime-local"; inputMode?: "numeric" | "decimal"; maxLength?: number } = {}) => (
    <label>
      {words.fields[name]}
      <input {...(more as object)} name={name} autocomplete="off" aria-invalid={wrong === name ? true : undefined} aria-describedby={wrong === name ? "wrong" : undefined} value={typed[name]} onInput={(event) => set({ [name]: event.currentTarget.value })} />
    </label>
  );
  return (
    <form class="card new" onSubmit={(event) => void submit(event)} aria-labelledby="new">
      <h2 id="new">{words.new}</h2>
      <p class="note">{words.newLead}</p>
      {field("title", { maxLength: 100 })}
      <label>
        {words.for}
        <select name="event" value={typed.event} onChange={(event) => set({ event: event.currentTarget.value })}>
          <option value="">{words.till}</option>
          {offers.events
            .filter((each) => each.state !== "canceled")
            .map((each) => (
              <option key={each.id} value={each.id}>
                {words.ticketsOf(each.title)}
              </option>
            ))}
        </select>
      </label>
      <label>
        {words.kind}
        <select name="kind" value={typed.kind} onChange={(event) => set({ kind: event.currentTarget.value as Typed["kind"] })}>
          {(["percent", "amount"] as const).map((each) => (
            <option key={each} value={each}>
              {words.kinds[each]}
            </option>
          ))}
        </select>
      </label>
      {field("worth", { inputMode: "decimal", maxLength: 12 })}
      {field("currency", { maxLength: 3 })}
      {field("stock", { inputMode: "numeric", maxLength: 6 })}
      {field("person", { inputMode: "numeric", maxLength: 3 })}
      {field("from", { type: "datetime-local" })}
      {field("until", { type: "datetime-local" })}
      {field("expires", { type: "datetime-local" })}
      <label class="check">
        <input type="checkbox" checked={typed.shareable} onChange={(event) => set({ shareable: event.currentTarget.checked })} />
        {words.shareable}
      </label>
      <p class="note">{words.zone(zone())}</p>
      <p id="wrong" class="wrong" role="alert">
        {wrong ? words.wrong[wrong] : ""}
      </p>
      <button type="submit" class="primary" disabled={offers.busy}>
        {words.make}
      </button>
    </form>
  );
}
