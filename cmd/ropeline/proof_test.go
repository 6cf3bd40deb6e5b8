package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/loadtest"
)

// A sale is sold out by people who pay in every way there is, while the ways between
// the cores, Redis, Postgres and the payment provider are cut, slow, or swallow
// answers, Redis forgets everything, Postgres crashes, and cores and worker are
// killed. When all is mended, the rest is sold as well; then nothing was sold twice, every
// order that somebody was told of is there with its money and its tickets, and nothing is
// there that nobody was told of; see docs/proof.md.
//
// A test run does it with 180 units; `make test-proof` with 5,000, and 20,000 people.
func TestASellOutThroughCutConnectionsLosesNothing(t *testing.T) {
	t.Parallel()
	since := time.Now()
	took := func(what string) {
		t.Logf("%.1f s for %s", time.Since(since).Seconds(), what)
		since = time.Now()
	}
	p := newProof(t, proofPlan(t))
	took("a shop")
	ctx, cancel := context.WithTimeout(t.Context(), p.plan.limit)
	defer cancel()
	p.sell(ctx)
	took("the sale")
	p.mend(ctx)
	took("mending")
	p.sellOut(ctx)
	took("what was left")
	verdicts := p.judge()
	took("judging")
	p.tell(verdicts)
	for _, v := range verdicts {
		if v.State != loadtest.Held {
			t.Errorf("%s: %s: %d of %d\n%s", v.Name, v.State, v.Broken, v.Facts, strings.Join(v.Examples, "\n"))
		}
	}
}

// plan is how large a proof is.
type plan struct {
	units, buyers, atOnce int
	life                  ropeline.Seconds // of a hold, and what a failed payment leaves of it
	think, patience, stay time.Duration    // see crowd
	each                  int              // times that each trouble is met; 0: a selection of them
	lasts                 time.Duration    // the longest that one does
	limit                 time.Duration
	seed                  uint64
}

func proofPlan(t *testing.T) plan {
	t.Helper()
	p := plan{units: 180, buyers: 450, atOnce: 180, life: 4, think: 2500 * time.Millisecond, patience: 4 * time.Second, lasts: 500 * time.Millisecond, limit: 2 * time.Minute}
	if os.Getenv("ROPELINE_TEST_PROOF") == "full" {
		p = plan{units: 5000, buyers: 20_000, atOnce: 4000, life: 90, think: time.Minute, patience: time.Minute, stay: 3 * time.Minute, each: 1, lasts: 1500 * time.Millisecond, limit: 12 * time.Minute}
	}
	p.seed = rand.Uint64() % 1_000_000
	if text := os.Getenv("ROPELINE_TEST_SEED"); text != "" {
		var err error
		if p.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// proof is a shop whose connections can be harmed.
type proof struct {
	*crowd
	plan                  plan
	server                *devtest.RedisServer
	database              *devtest.PostgresServer
	redisWay, pgWay, bank *devtest.Cable
	sellers               []process
	worker                int
	met                   []incident
	drifted               []string // in what Redis and Postgres differed before all was mended
}

// incident is a trouble that took place.
type incident struct {
	what        string
	at, lasted  time.Duration // since the sale began
	sold, after int64         // units when it began, and when it was over
	lost, later int64         // answers that never came up to the next one, and those that said to come later
}

func newProof(t *testing.T, plan plan) *proof {
	t.Logf("seed %d: %d units, %d people, %d at once", plan.seed, plan.units, plan.buyers, plan.atOnce)
	p := &proof{plan: plan, server: devtest.PrivateRedis(t), database: devtest.PrivatePostgres(t)}
	migrate := exec.Command(testProgram(t), "migrate", "--postgres", p.database.DSN) // the tables are the program's, too
	migrate.Env = append(os.Environ(), "ROPELINE_TEST_PROCESS=1")
	alive, err := migrate.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if said, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("migrating: %v\n%s", err, said)
	}
	s := newShop(t, p.server, p.database.DSN, catalogue.Plan{General: plan.units, Sale: ropeline.Sale{ID: "proof", Hold: plan.life, PaymentGrace: plan.life}})
	lay := func(from *string) *devtest.Cable {
		u, err := url.Parse(*from)
		if err != nil {
			t.Fatal(err)
		}
		c := devtest.NewCable(t, u.Host)
		*from = c.Through(*from)
		return c
	}
	books := s.dsn
	p.redisWay, p.pgWay, p.bank = lay(&s.redis), lay(&s.dsn), lay(&books)
	s.flags = []string{"--sandbox-postgres", books}
	show, err := s.shows.Performance(t.Context(), s.sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	p.crowd = &crowd{shop: s, size: plan.buyers, atOnce: plan.atOnce, seed: plan.seed, think: plan.think, patience: plan.patience, stay: plan.stay,
		tier: show.Map.Tiers[0].ID, units: plan.units,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: plan.atOnce, IdleConnTimeout: 10 * time.Second}}}
	t.Cleanup(p.client.CloseIdleConnections)
	for range 2 {
		p.open1()
	}
	p.worker = s.work()
	return p
}

// open1 starts one more core.
func (p *proof) open1() {
	p.start()
	p.sellers = append(p.sellers, p.core)
	p.publish()
}

// publish tells patrons where the cores are.
func (p *proof) publish() {
	var at []string
	for _, c := range p.sellers {
		at = append(at, c.address)
	}
	p.cores.Store(&at)
}

// trouble is something that goes wrong, and is put right.
type trouble struct {
	what       string
	begin, end func()
	brief      bool // it is over at once
}

// troubles lists what can go wrong.
func (p *proof) troubles() (list []trouble) {
	for _, way := range []struct {
		name string
		*devtest.Cable
	}{{"Redis", p.redisWay}, {"Postgres", p.pgWay}, {"the provider", p.bank}} {
		for _, harm := range []struct {
			name string
			devtest.Harm
		}{
			{"connections to %s are cut", devtest.Severed}, {"connections to %s are reset", devtest.Reset},
			{"requests to %s are swallowed", devtest.Stalled}, {"connections to %s end instead of each answer", devtest.Answerless},
			{"answers of %s are swallowed", devtest.Speechless}, {"%s answers late", devtest.Slow}, {"%s answers in crumbs", devtest.Crumbling},
		} {
			list = append(list, trouble{what: fmt.Sprintf(harm.name, way.name), begin: func() { way.Harm(harm.Harm) }, end: way.Mend})
		}
	}
	return append(list,
		trouble{what: "Redis forgets everything", brief: true, begin: func() {
			if err := p.server.Client.FlushAll(p.t.Context()).Err(); err != nil {
				p.t.Error(err)
			}
		}},
		trouble{what: "Redis is killed, and its file is lost", begin: func() { p.server.Kill(); p.server.Destroy() }, end: p.server.Start},
		trouble{what: "Redis is killed", begin: p.server.Kill, end: p.server.Start},
		trouble{what: "Postgres is killed", begin: p.database.Kill, end: p.database.Start},
		trouble{what: "a core is killed", begin: func() { p.kill(p.sellers[0].pid) }, end: func() {
			p.sellers = p.sellers[1:]
			p.open1()
		}},
		trouble{what: "the worker is killed", begin: func() { p.kill(p.worker) }, end: func() { p.worker = p.work() }},
	)
}

func (p *proof) kill(pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		p.t.Errorf("killing: %v", err)
	}
}

// choose puts the troubles into the order of the seed. A small proof meets one of each
// way and each server.
func (p *proof) choose() []trouble {
	rng := rand.New(rand.NewPCG(p.seed, 0))
	all := p.troubles()
	chosen := slices.Clone(all)
	if p.plan.each == 0 {
		chosen = nil
		for way := range 3 {
			chosen = append(chosen, all[7*way+rng.IntN(5)])
		}
		chosen = append(chosen, all[21+rng.IntN(2)], all[24], all[25])
	}
	rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen
}

// sell lets the crowd come, and troubles happen while there is something to sell.
func (p *proof) sell(ctx context.Context) {
	p.began = time.Now()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.come(ctx)
	}()
	rng := rand.New(rand.NewPCG(p.seed, 1))
	list := p.choose()
	for i, t := range list {
		p.reach(ctx, gone, int64(p.plan.units*(i+1)/(len(list)+2)), 5*time.Second)
		in := incident{what: t.what, at: time.Since(p.began), sold: p.sold.Load(), lost: p.lost.Load(), later: p.later.Load()}
		p.close(in)
		t.begin()
		if !t.brief {
			select {
			case <-ctx.Done():
			case <-time.After(p.plan.lasts/3 + time.Duration(rng.Int64N(int64(p.plan.lasts*2/3)))):
			}
			if t.end != nil {
				t.end()
			}
		}
		in.lasted, in.after = time.Since(p.began)-in.at, p.sold.Load()
		p.t.Logf("%.1f s: %s, for %.1f s; %d units sold", in.at.Seconds(), in.what, in.lasted.Seconds(), in.after)
		p.met = append(p.met, in)
	}
	<-gone
	p.close(incident{lost: p.lost.Load(), later: p.later.Load()})
}

// close ends what is counted of the last incident, when the next one begins.
func (p *proof) close(next incident) {
	if len(p.met) > 0 {
		last := &p.met[len(p.met)-1]
		last.lost, last.later = next.lost-last.lost, next.later-last.later
	}
}

// reach waits until so many units are sold, or for a while in which none is.
func (p *proof) reach(ctx context.Context, gone <-chan struct{}, units int64, while time.Duration) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	last, since := p.sold.Load(), time.Now()
	for {
		now := p.sold.Load()
		if now >= units || time.Since(since) > while {
			return
		}
		if now > last {
			last, since = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-gone:
			return
		case <-look.C:
		}
	}
}

// mend lets everything that was left half done come to its end.
func (p *proof) mend(ctx context.Context) {
	p.t.Helper()
	p.looked(ctx)
	p.drifted = p.disagree() // a core that starts would put it right
	for _, c := range p.sellers {
		p.kill(c.pid)
	}
	p.kill(p.worker)
	p.sellers = nil
	p.open1() // now nobody is at work, and a settler need not wait for who may be
	p.finish(ctx)
}

// looked waits until the worker has looked for holds whose payment is over, which it does every
// two seconds: what was paid while Redis was away is marked as sold by then. A look is over
// when the next one begins.
func (p *proof) looked(ctx context.Context) {
	p.t.Helper()
	looks := make(chan bool, 2)
	p.tap.Watch(func(name string) devtest.Cut {
		if name == "script paying" && len(looks) < cap(looks) {
			looks <- true
		}
		return devtest.Let
	}, nil)
	for range cap(looks) {
		select {
		case <-ctx.Done():
			p.t.Fatal("the worker does not look: ", ctx.Err())
		case <-looks:
		}
	}
	p.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
}

// finish settles, and asks for every order again of which nobody knows what became of it.
func (p *proof) finish(ctx context.Context) {
	p.t.Helper()
	p.settle()
	if p.resume(ctx) > 0 {
		for _, t := range p.crowd.open {
			p.t.Errorf("fan %d, who paid with %s, was answered at last: %+v", t.p.Fan, t.method, t.last)
		}
	}
	p.settle()
	if err := ctx.Err(); err != nil {
		p.t.Fatalf("not within %v: %v", p.plan.limit, err)
	}
}

// sellOut sells what was left: what people gave back at the end, did not come to the till
// for, or could not pay for, since a core that was killed had it.
func (p *proof) sellOut(ctx context.Context) {
	p.t.Helper()
	all := int64(p.plan.units)
	for range 2 { // an order of which nobody knew may have come to nothing
		if p.sold.Load() >= all {
			return
		}
		worker := p.work() // puts back what runs out
		shop, shut := context.WithCancel(ctx)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			p.comeLate(shop)
		}()
		p.reach(ctx, gone, all, p.plan.life.Duration()+5*time.Second)
		shut()
		<-gone
		p.kill(worker)
		p.finish(ctx)
	}
}

// judge compares what patrons were told with Postgres, with the provider's own list and
// with Redis. The first verdicts are those of the load test.
func (p *proof) judge() []loadtest.Verdict {
	p.t.Helper()
	ctx := p.t.Context()
	show := p.sale.Performances[0]
	books, err := loadtest.Audit(ctx, p.database.DSN, wire.Sale{Status: wire.SaleStatus{ID: p.sale.ID}, Performances: p.sale.Performances}, p.began.Add(-time.Minute))
	if err != nil {
		p.t.Fatal(err)
	}
	stock, err := p.stock.Check(ctx, show, inventory.With(p.orders, p.shows, p.lists))
	if err != nil {
		p.t.Fatal(err)
	}
	differs := append(p.drifted, p.disagree()...)
	seen := &loadtest.Inventory{Agrees: len(differs) == 0, Units: stock.Units, Detail: differs}
	promised := []string{loadtest.InvUnits, loadtest.InvConfirmed, loadtest.InvAccounted, loadtest.InvTickets, loadtest.InvInventory, loadtest.InvRepeats, loadtest.InvNoInternal}
	verdicts := slices.DeleteFunc(loadtest.Judge(loadtest.Evidence{Fans: p.fans, Books: books, Stock: seen, Faults: p.faults}, promised),
		func(v loadtest.Verdict) bool { return !v.Promised })
	return append(verdicts, p.answered(), p.balanced(ctx), p.listed(ctx), p.counted(stock, books.Tickets), p.soldOut(stock))
}

// disagree says in what Redis differs from Postgres, and who holds it.
func (p *proof) disagree() (how []string) {
	p.t.Helper()
	report, err := p.stock.Check(p.t.Context(), p.sale.Performances[0], inventory.With(p.orders, p.shows, p.lists))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range report.Mismatches {
		how = append(how, fmt.Sprintf("%s: units %v%s", m.Kind, m.Units, p.held(m.Units)))
	}
	return how
}

// held are the holds that have some of these units, and how their attempts stand.
func (p *proof) held(units []int) (text string) {
	p.t.Helper()
	snap, err := p.stock.Snapshot(p.t.Context(), p.sale.Performances[0])
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range snap.Holds {
		if !slices.ContainsFunc(h.Units, func(u int) bool { return slices.Contains(units, u) }) {
			continue
		}
		var attempts string
		if err := p.db.QueryRow(p.t.Context(), `select coalesce(string_agg(id || ' ' || state || ' since ' || updated_at, ', '), 'none') from attempts where hold_id = $1`, h.ID).Scan(&attempts); err != nil {
			p.t.Fatal(err)
		}
		text += fmt.Sprintf("; hold %s is %s for %q, its attempts: %s", h.ID, h.State, h.Attempt, attempts)
	}
	return text
}

// verdict is held if something was looked at and nothing was wrong.
func verdict(name, text string, facts int, wrong []string) loadtest.Verdict {
	v := loadtest.Verdict{Name: name, Text: text, State: loadtest.Held, Promised: true, Facts: facts, Broken: len(wrong), Examples: wrong[:min(len(wrong), 5)]}
	switch {
	case len(wrong) > 0:
		v.State = loadtest.Broken
	case facts == 0:
		v.State = loadtest.NotJudged
	}
	return v
}

func (p *proof) answered() loadtest.Verdict {
	var wrong []string
	asked := 0
	for _, h := range p.fans {
		for _, a := range h.Attempts {
			if asked++; a.Outcome == loadtest.Unknown {
				wrong = append(wrong, fmt.Sprintf("fan %d never heard what became of key %s", h.Fan, a.Key))
			}
		}
	}
	return verdict("answered", "everybody who paid was told what came of it, at last", asked, wrong)
}

// balanced asks `ropeline check ledger`.
func (p *proof) balanced(ctx context.Context) loadtest.Verdict {
	var out, said bytes.Buffer
	code := execute(ctx, []string{"check", "ledger", "--postgres", p.database.DSN, "--json"}, &out, &said)
	var answer struct {
		OK           bool      `json:"ok"`
		Performances []audited `json:"performances"`
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || (code == 0) != answer.OK {
		p.t.Fatalf("checking the ledger: exit %d, %v: %s", code, err, said.String())
	}
	orders, wrong := 0, []string{}
	for _, a := range answer.Performances {
		orders += a.Orders
		for _, i := range a.Imbalances {
			wrong = append(wrong, i.String())
		}
	}
	return verdict("ledger", "every order's ledger adds up to what it says, to the cent", orders, wrong)
}

// listed goes through the provider's own list, both ways.
func (p *proof) listed(ctx context.Context) loadtest.Verdict {
	rows, err := p.db.Query(ctx, `select a.id::text, a.state, coalesce(o.state, ''), coalesce(o.amount, 0), o.id is not null and o.state = 'paid'
		and (select count(*) from tickets t where t.performance_id = o.performance_id and t.order_id = o.id and t.state = 'valid') = cardinality(a.units)
		from attempts a left join orders o on o.performance_id = a.performance_id and o.attempt_id = a.id`)
	if err != nil {
		p.t.Fatal(err)
	}
	type sale struct {
		step, order string
		amount      int64
		has         bool // all its tickets, and they are good
	}
	ours := map[string]sale{}
	var id string
	var s sale
	for rows.Next() {
		if err := rows.Scan(&id, &s.step, &s.order, &s.amount, &s.has); err != nil {
			p.t.Fatal(err)
		}
		ours[id] = s
	}
	if rows.Err() != nil {
		p.t.Fatal(rows.Err())
	}
	payments, wrong := 0, []string{}
	for f, err := range p.money.Since(ctx, "", p.began.Add(-time.Minute)) {
		if err != nil {
			p.t.Fatal(err)
		}
		payments++
		s := ours[f.Attempt]
		switch taken := f.State == payment.Captured && f.Refunded < f.Amount.Amount; {
		case taken && (!s.has || s.amount != f.Amount.Amount):
			wrong = append(wrong, fmt.Sprintf("money without tickets: %d of attempt %s are taken; it is %s, its order %q for %d", f.Amount.Amount, f.Attempt, s.step, s.order, s.amount))
		case !taken && s.order == "paid":
			wrong = append(wrong, fmt.Sprintf("tickets without money: the order of attempt %s is paid, the payment %s", f.Attempt, f.State))
		case f.State == payment.Authorized, f.State == payment.NeedsAction && s.step != "acting":
			wrong = append(wrong, fmt.Sprintf("money is reserved for nothing: attempt %s is %s, the payment %s", f.Attempt, s.step, f.State))
		}
		delete(ours, f.Attempt)
	}
	for id, s := range ours {
		if s.order == "paid" {
			wrong = append(wrong, fmt.Sprintf("tickets without money: the provider does not know of attempt %s", id))
		}
	}
	return verdict("provider", "the provider's own list has a payment for every paid order, and no other", payments, wrong)
}

// counted wants every unit to be somewhere, once.
func (p *proof) counted(r inventory.Report, tickets int) loadtest.Verdict {
	var wrong []string
	if sum := r.Free + r.Held + r.Paying + r.Sold + r.Withheld; sum != p.plan.units || r.Units != p.plan.units {
		wrong = append(wrong, fmt.Sprintf("%d free, %d held, %d being paid, %d sold and %d withheld are %d of %d units", r.Free, r.Held, r.Paying, r.Sold, r.Withheld, sum, p.plan.units))
	}
	if r.Sold != tickets {
		wrong = append(wrong, fmt.Sprintf("Redis says that %d units are sold, Postgres has %d tickets", r.Sold, tickets))
	}
	return verdict("stock", fmt.Sprintf("all units are accounted for: %d sold, %d held, %d free", r.Sold, r.Held, r.Free), r.Units, wrong)
}

// soldOut wants nothing left that nobody can buy.
func (p *proof) soldOut(r inventory.Report) loadtest.Verdict {
	var wrong []string
	if r.Sold != p.plan.units {
		wrong = append(wrong, fmt.Sprintf("%d of %d units are sold, though people stayed to buy them", r.Sold, p.plan.units))
	}
	return verdict("sold-out", "when all was mended, the rest was sold to the last unit", r.Units, wrong)
}

// tell prints what happened and what came of it, and writes a report if it is asked for.
func (p *proof) tell(verdicts []loadtest.Verdict) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nat\tfor\ttrouble\tsold before\tafter\trequests without an answer\ttold to come later\n")
	for _, in := range p.met {
		fmt.Fprintf(w, "%.1f s\t%.1f s\t%s\t%d\t%d\t%d\t%d\n", in.at.Seconds(), in.lasted.Seconds(), in.what, in.sold, in.after, in.lost, in.later)
	}
	fmt.Fprintf(w, "\nverdict\tlooked at\tbroken\tpromise\t\t\t\n")
	passed := true
	for _, v := range verdicts {
		passed = passed && v.State == loadtest.Held
		fmt.Fprintf(w, "%s\t%d\t%d\t%s: %s\t\t\t\n", cmp.Or(map[loadtest.State]string{loadtest.Held: "held"}[v.State], string(v.State)), v.Facts, v.Broken, v.Name, v.Text)
	}
	orders := 0
	for _, h := range p.fans {
		for _, a := range h.Attempts {
			if a.Outcome == loadtest.Confirmed {
				orders++
			}
		}
	}
	err := w.Flush()
	p.t.Logf("seed %d: %d orders of %d units by %d people in %.0f s, %d requests%s", p.seed, orders, p.sold.Load(), p.size, time.Since(p.began).Seconds(), p.faults.Answers, out.String())
	if file := os.Getenv("ROPELINE_TEST_REPORT"); file != "" {
		text, textErr := json.Marshal(loadtest.Report{Profile: "proof", Seed: p.seed, Began: p.began, Fans: p.size, Units: p.plan.units, Orders: orders, Sold: int(p.sold.Load()), Verdicts: verdicts, Passed: passed})
		err = errors.Join(err, textErr, os.WriteFile(file, text, 0o644))
	}
	if err != nil {
		p.t.Error(err)
	}
}
