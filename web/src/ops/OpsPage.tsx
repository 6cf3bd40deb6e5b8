import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/ops";
import type { EdgeReport, Live, Unread } from "../api/documents";
import { Refusal } from "../api/http";
import { signOut as leaveAccount } from "../api/staff";
import { ByAccount } from "../look/ByAccount";
import { SignIn } from "../look/SignIn";
import { Top } from "../look/Top";
import { common, ops as words, staff as staffWords } from "../messages/en";
import { count } from "../messages/format";
import { type Came, renew, useBadge } from "./badge";
import { Edges } from "./Edges";
import { Payments } from "./Payments";
import { SaleDesk, State } from "./SaleDesk";

/** Twice a second: what is shown is never older than one. */
const every = 500;

type Staff = "unknown" | "no" | "yes";

/** The sale that the address names after its #. */
const named = () => new URLSearchParams(location.hash.slice(1)).get("sale") ?? "";

export function OpsPage({ signInKey }: { signInKey: string }) {
  const [staff, setStaff] = useState<Staff>("unknown");
  const [sales, setSales] = useState<Live[]>([]);
  const [unread, setUnread] = useState<Unread[]>([]);
  const [edges, setEdges] = useState<EdgeReport[]>([]);
  const [asOf, setAsOf] = useState<Date>();
  const [stale, setStale] = useState(false);
  const [picked, setPicked] = useState(named);
  const [came, setCame] = useState<Came>("off"); // of an account, where there is no key
  const { by, ends } = useBadge(staff === "yes");
  const key = useRef(signInKey);
  const heading = useRef<HTMLHeadingElement>(null);
  const changes = useRef(0); // made on this page
  const late = useLate(asOf);

  useEffect(() => {
    const pick = () => setPicked(named());
    addEventListener("hashchange", pick);
    return () => removeEventListener("hashchange", pick);
  }, []);

  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let tried = false; // an account, since the last answer
    const look = async () => {
      try {
        if (key.current !== "") {
          const once = key.current;
          key.current = "";
          await api.signIn(once);
        }
        const before = changes.current;
        const [found, nodes] = await Promise.all([api.sales(), api.edges()]);
        if (stopped) return;
        if (changes.current === before) setSales(found.sales); // what was asked before a change is answered as it was
        setUnread(found.failed ?? []);
        setEdges(nodes);
        setAsOf(new Date());
        setStale(false);
        setStaff("yes");
        tried = false;
      } catch (cause) {
        if (stopped) return;
        if (cause instanceof Refusal && (cause.status === 401 || cause.status === 403)) {
          const now = tried ? "off" : await renew();
          if (stopped) return;
          tried = true;
          if (now === "in") return void look();
          setCame(now);
          return setStaff("no");
        }
        setStale(true);
      }
      timer = setTimeout(() => void look(), every);
    };
    if (staff !== "no") void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [staff === "no"]);

  const replace = (live: Live) => {
    changes.current++;
    setSales((all) => all.map((each) => (each.sale === live.sale ? live : each)));
  };
  const signedIn = () => {
    setStaff("unknown");
    requestAnimationFrame(() => heading.current?.focus()); // once it is shown
  };
  const leave = async () => {
    try {
      await (by === "account" ? leaveAccount() : api.signOut());
      setCame("out");
      signedOut();
    } catch {
      setStale(true);
    }
  };
  const signedOut = () => {
    setSales([]);
    setUnread([]);
    setEdges([]);
    setAsOf(undefined);
    setStaff("no");
  };
  const silent = stale || late;
  const live = sales.find((each) => each.sale === picked) ?? sales[0];
  return (
    <>
      {staff === "no" && <SignedOut over={asOf !== undefined} came={came} onDone={signedIn} />}
      {/* Whose sign-in is over finds what they typed as it was. */}
      <div hidden={staff === "no"}>
        <Top>
          <button type="button" onClick={() => void leave()} disabled={staff !== "yes"}>
            {words.signOut}
          </button>
        </Top>
        <main class="ops">
          <div class="heading">
            <h1 tabIndex={-1} ref={heading}>
              {words.heading}
            </h1>
            <div>
              {!silent && <p class="note">{asOf ? words.asOf(asOf) : common.loading}</p>}
              <p class="wrong" role="status">
                {silent ? (asOf ? words.stale(asOf) : common.offline) : ends && words.account.ends(ends)}
              </p>
            </div>
          </div>
          {staff === "yes" && sales.length + unread.length === 0 && <p>{words.none}</p>}
          {unread.map((each) => (
            <p class="wrong" key={each.sale}>
              {words.unread(each.sale, each.problem.detail ?? each.problem.title)}
            </p>
          ))}
          {sales.length > 1 && <Sales sales={sales} picked={live} />}
          {live && <SaleDesk key={live.sale} live={live} onLive={replace} />}
          {staff === "yes" && <Payments />}
          {staff === "yes" && <Edges edges={edges} />}
        </main>
      </div>
    </>
  );
}

/** Whether the last answer is so old that the numbers say little: a server may take a request and never answer. */
function useLate(asOf: Date | undefined): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    const timer = setTimeout(() => setLate(true), 3_000);
    return () => clearTimeout(timer);
  }, [asOf]);
  return late;
}

/** All sales, one line each; one of them is looked at below. */
function Sales({ sales, picked }: { sales: Live[]; picked: Live | undefined }) {
  return (
    <nav class="sales card" aria-label={words.sales}>
      <ul>
        {sales.map((each) => (
          <li key={each.sale}>
            <a href={`#sale=${encodeURIComponent(each.sale)}`} aria-current={each === picked ? "true" : undefined}>
              {each.title || each.sale}
            </a>
            <State live={each} />
            <span>
              {words.number.waiting} {count(each.waiting)}
            </span>
            <span>{words.use(each.active + each.offered, each.cap)}</span>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function SignedOut({ over, came, onDone }: { over: boolean; came: Came; onDone: () => void }) {
  const [problem, setProblem] = useState(over ? words.signIn.over : "");
  const submit = async (key: string) => {
    try {
      await api.signIn(key);
      onDone();
    } catch (cause) {
      setProblem(cause instanceof Refusal && cause.status < 500 ? words.signIn.wrong : common.offline);
    }
  };
  const leave = async () => {
    try {
      await leaveAccount();
      location.reload();
    } catch {
      setProblem(common.offline);
    }
  };
  return (
    <SignIn page="ops" words={words.signIn} problem={problem} submit={submit}>
      {came === "out" && <ByAccount back={location.pathname + location.search} />}
      {came === "away" && <p class="note">{words.account.away}</p>}
      {came === "second" && (
        <>
          <p>{words.account.second}</p>
          <a class="button" href={`/account/security?back=${encodeURIComponent(location.pathname)}`}>
            {staffWords.second.go}
          </a>
        </>
      )}
      {came === "other" && <p>{words.account.other}</p>}
      {(came === "second" || came === "other") && (
        <button type="button" onClick={() => void leave()}>
          {words.account.signOut}
        </button>
      )}
    </SignIn>
  );
}
