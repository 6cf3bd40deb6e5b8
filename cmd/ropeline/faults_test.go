package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// A core that is killed, with SIGKILL, at any request that it makes of Redis, of
// Postgres or of the payment provider, before it was carried out or right after,
// leaves nothing behind that a restart does not bring to an end at which money,
// tickets and Redis agree; and the fan who asks again gets an answer.
//
// The steps are those that a run which nobody disturbs is seen to make. One that
// is new is in the matrix by itself, and so is a route: each that changes
// something needs an operation here. `make test-faults` tries them all and prints a
// row for each; a test run takes a few.
func TestNoStepOfABookingIsLostWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	operations := s.operations()
	for _, r := range api.Routes {
		if r.Method == http.MethodGet || r.Access == api.Bag || r.Access == api.Desk || r.ID == "create-bag" {
			continue // a coupon that is in no hold moves in one transaction, and nobody has paid
		}
		if !slices.ContainsFunc(operations, func(o operation) bool { return slices.Contains(o.routes, r.ID) }) {
			t.Errorf("no operation of the matrix is about %s", r.ID)
		}
	}
	all, tried, missed := os.Getenv("ROPELINE_TEST_FAULTS") == "all", 0, 0
	for i, o := range operations {
		if !all && !o.always {
			continue
		}
		first := s.steps(o) // may have more: Redis has to be told some scripts, and is asked twice
		steps := slices.DeleteFunc(s.steps(o), func(step string) bool { return !slices.Contains(first, step) })
		if len(steps) == 0 {
			t.Errorf("%s makes no step", o.name)
		}
		for k, step := range steps {
			for _, cut := range []devtest.Cut{devtest.Before, devtest.After} {
				if !all && (cut == devtest.Before || k != (i+len(steps)/2)%len(steps)) {
					continue // a different part of each operation
				}
				left, end, reached := s.kill(o, step, cut)
				for range 2 { // the sandbox's webhook comes when it comes, and does what others do not have to do then
					if !reached {
						left, end, reached = s.kill(o, step, cut)
					}
				}
				if tried++; !reached {
					missed++
				}
				t.Logf("%-28s | %-6s | %-78s | %-60s | %s", o.name, map[devtest.Cut]string{devtest.Before: "before", devtest.After: "after"}[cut], step, left, end)
			}
		}
	}
	if t.Logf("%d kills, and %d steps that were not come to again", tried-missed, missed); tried < 4 || missed > max(1, tried/20) {
		t.Errorf("only %d of %d kills took place", tried-missed, tried)
	}
}

// shop is a booking core of one process, and what is needed to look behind it.
type shop struct {
	t      *testing.T
	tap    *devtest.Tap
	redis  string // through the tap
	dsn    string // through the tap
	keys   keyFolder
	signer *admission.Signer
	db     *pgxpool.Pool
	stock  *inventory.Store
	lists  *returns.Store
	shows  *catalogue.Store
	orders *order.Store
	staff  string // an SRE's key
	offer  string // a coupon, of which each buyer gets a copy
	copies *coupon.Store
	holds  *hold.Store
	money  *sandbox.Provider
	sale   ropeline.Sale
	idle   map[string]bool // what a core asks that has nothing to do
	rests  map[string]bool // and a worker
	next   int             // unit that nobody had
	flags  []string        // of cores and workers, besides
	core   process
	ears   *ears
	dead   atomic.Bool // what had to be killed is
}

func openShop(t *testing.T) *shop {
	r := devtest.PrivateRedis(t)
	s := newShop(t, r, devtest.PostgresDSN(t), catalogue.Plan{General: 20_000, Seats: 40, Sale: ropeline.Sale{ID: "faults", Hold: 600, HoldExtensions: 1}})
	s.offerCoupons(r.Client)
	s.ears = listens(t)
	s.next = 40 // after the seats, which the returns list is about
	s.start()
	s.idle = s.asks(func() {})
	s.idle["script score"] = true // counted a moment later: no request waits for it
	var worker int
	s.rests = s.asks(func() { worker = s.work() })
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	return s
}

// newShop puts something up for sale. Nobody sells it yet.
func newShop(t *testing.T, r *devtest.RedisServer, dsn string, plan catalogue.Plan) *shop {
	t.Helper()
	s := &shop{t: t, tap: devtest.NewTap(scripts(t)), keys: keyFolder(filepath.Join(t.TempDir(), "keys")), db: devtest.PostgresAt(t, dsn)}
	s.redis, s.dsn = s.tap.Redis(t, r.URL), s.tap.Postgres(t, dsn)
	if _, err := s.keys.init(); err != nil {
		t.Fatal(err)
	}
	var err error
	// Postgres would compile what agree asks, all partitions of it, for seconds.
	if _, err = s.db.Exec(t.Context(), `do $$ begin execute format('alter database %I set jit = off', current_database()); end $$`); err != nil {
		t.Fatal(err)
	}
	s.db.Reset()
	if s.staff, err = s.keys.devStaff(); err != nil {
		t.Fatal(err)
	}
	if s.signer, err = admission.LoadSigner(s.keys.path(admissionKey)); err != nil {
		t.Fatal(err)
	}
	s.shows = catalogue.New(s.db, time.Now)
	s.stock, s.holds, s.money = inventory.New(r.Client), hold.New(r.Client), sandbox.New(s.db)
	s.orders = order.NewStore(s.db, s.shows)
	links, err := s.keys.secret(orderKey)
	if err != nil {
		t.Fatal(err)
	}
	s.lists = returns.New(s.db, s.shows, s.stock, s.holds, returns.Keys(links))
	t.Cleanup(s.holds.Close)
	t.Cleanup(s.orders.Close)
	opens := time.Now().UTC().Truncate(time.Second)
	plan.Venue, plan.StartsAt = "Opera", opens.Add(time.Hour)
	plan.Sale.Version, plan.Sale.Title, plan.Sale.UnitsPerHold = 1, "Gala", 6
	plan.Sale.LobbyClosesAt, plan.Sale.OpensAt, plan.Sale.EndsAt = opens.Add(-time.Second), opens, opens.Add(time.Hour)
	plan.Sale.Cap, plan.Sale.Rate, plan.Sale.ClaimWindow, plan.Sale.TokenLife, plan.Sale.SessionMax = 10, 60, 60, 60, 3600
	s.sale, err = s.shows.Seed(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec(t.Context(), `update performances set tariff = '{"refund": {"before": 60}, "exchange": {"before": 60, "fee": 500}}'`); err != nil { // until a minute before it begins
		t.Fatal(err)
	}
	return s
}

// scripts are the Lua files of the booking core, name by text.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../booking/*/lua/*.lua")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	names := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		if name == "once" || name == "clock" || name == "each" { // in all of them
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names[string(text)] = name
	}
	return names
}

// asks is what is asked by programs that have nothing to do. They do so every
// two seconds at least.
func (s *shop) asks(begin func()) map[string]bool {
	s.t.Helper()
	names := map[string]bool{}
	s.tap.Watch(func(name string) devtest.Cut {
		names[name] = true
		return devtest.Let
	}, nil)
	begin()
	select {
	case <-s.t.Context().Done():
	case <-time.After(5 * time.Second):
	}
	s.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
	return names
}

// work runs a worker.
func (s *shop) work() (pid int) {
	s.t.Helper()
	cmd := exec.Command(testProgram(s.t), append([]string{"worker", "--redis", s.redis, "--postgres", s.dsn, "--keys", string(s.keys),
		"--webhooks-inside", "--private-listen", "off"}, s.flags...)...)
	cmd.Env = append(os.Environ(), "ROPELINE_TEST_PROCESS=1")
	alive, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = alive.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, as it should be
	})
	return cmd.Process.Pid
}

// start runs a core until it sells.
func (s *shop) start() {
	s.t.Helper()
	s.core = startProcess(s.t, append([]string{"booking", "--redis", s.redis, "--postgres", s.dsn, "--keys", string(s.keys),
		"--listen", "127.0.0.1:0", "--webhooks-inside", "--private-listen", "off"}, s.flags...)...)
	b := s.buyer()
	s.await("the core sells", func() bool {
		status, _ := s.do(b, http.MethodPost, "/api/v1/holds", map[string]any{"performance": s.sale.Performances[0], "units": []int{-1}}, "")
		return status != 0 && status != http.StatusServiceUnavailable
	})
}

func (s *shop) await(what string, is func() bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatal("not after a minute: ", what)
		}
	}
}

// buyer is a fan at the booking core.
type buyer struct {
	token, session, hold, key, coupon, order, link, entry string
	place                                                 ropeline.PlaceID
	block                                                 string
	endpoint, event                                       string // of webhooks
	units                                                 []int
	tickets                                               []any // of the order
	wants                                                 []int // units instead
}

func (s *shop) buyer() *buyer {
	s.t.Helper()
	now := time.Now()
	b := &buyer{session: uuid.NewString(), key: uuid.NewString(), place: ropeline.PlaceID(rand.Text()[:22]), units: []int{s.next, s.next + 1}}
	s.next += 2
	var err error
	b.token, err = s.signer.Sign(token.Claims{Sale: s.sale.ID, Place: b.place, Session: b.session, IssuedAt: now, Expires: now.Add(time.Minute), SessionEnds: now.Add(50 * time.Minute)})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// do sends a request. The status is 0 if there was no answer.
func (s *shop) do(b *buyer, method, path string, body any, key string, headers ...string) (int, map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.core.address+path, strings.NewReader(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+b.token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	answer := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil && res.StatusCode != http.StatusNoContent {
		return 0, nil
	}
	return res.StatusCode, answer
}

// operation is something that a fan, a provider or the worker does.
type operation struct {
	name    string
	routes  []string
	prepare func(*buyer)
	act     func(*buyer) int    // the status of the answer; 0 if there was none
	want    int                 // of one that nobody disturbs
	finish  func(*buyer) string // asks again after the restart, and says what came of it
	worker  bool                // it is the worker's doing
	always  bool                // a test run tries it, too
}

// cut lets a process be killed at a request.
func (s *shop) cut(pid *atomic.Int64, ask func(string) devtest.Cut) {
	s.dead.Store(false)
	s.tap.Watch(ask, func() {
		if err := syscall.Kill(int(pid.Load()), syscall.SIGKILL); err != nil {
			s.t.Errorf("killing: %v", err)
		}
		s.dead.Store(true)
	})
}

// steps are what an operation asks that nobody disturbs, of a core that has just
// started.
func (s *shop) steps(o operation) (steps []string) {
	s.t.Helper()
	b, seen := s.fresh(o), map[string]int{}
	s.cut(new(atomic.Int64), func(name string) devtest.Cut {
		if idle := s.idle[name] || o.worker && s.rests[name]; !idle {
			seen[name]++
			steps = append(steps, numbered(name, seen[name]))
		}
		return devtest.Let
	})
	if o.worker {
		pid := s.work()
		defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	}
	if status := o.act(b); status != o.want {
		s.t.Fatalf("%s: %d, want %d", o.name, status, o.want)
	}
	s.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
	if o.worker {
		s.start()
	}
	o.finish(b)
	s.settle()
	s.agree(o.name)
	return steps
}

// numbered tells steps of one name apart.
func numbered(step string, n int) string {
	if n == 1 {
		return step
	}
	return fmt.Sprintf("%s #%d", step, n)
}

// fresh starts a core afresh and prepares an operation.
func (s *shop) fresh(o operation) *buyer {
	s.t.Helper()
	if err := syscall.Kill(s.core.pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.start()
	b := s.buyer()
	o.prepare(b)
	return b
}

// kill carries out an operation whose process dies at a step. It says what was on
// disk then, what came of it, and whether the operation came to that step.
func (s *shop) kill(o operation, step string, cut devtest.Cut) (left, end string, reached bool) {
	s.t.Helper()
	b, seen, pid := s.fresh(o), map[string]int{}, new(atomic.Int64)
	pid.Store(int64(s.core.pid))
	if o.worker {
		pid.Store(0)
	}
	s.cut(pid, func(name string) devtest.Cut {
		seen[name]++
		if now := numbered(name, seen[name]); now != step || pid.Load() == 0 {
			return devtest.Let
		}
		return cut
	})
	if o.worker {
		pid.Store(int64(s.work()))
	}
	what := fmt.Sprintf("%s, killed %v %q", o.name, cut, step)
	o.act(b)
	if !s.dead.Load() {
		s.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
		if o.worker {
			_ = syscall.Kill(int(pid.Load()), syscall.SIGKILL)
		}
		return "", "it did not come to that", false
	}
	left = s.left(b)
	s.start()
	s.settle()
	s.agree(what)
	end = o.finish(b)
	s.settle()
	s.agree(what + ", and asked again")
	return left, end, true
}

// settle brings what is half done to its end.
func (s *shop) settle() {
	s.t.Helper()
	settler := order.NewSettler(s.orders, s.holds, s.money, 0, time.Second, slog.New(slog.DiscardHandler))
	tender := returns.NewTender(s.lists, time.Second, time.Hour, nil, slog.New(slog.DiscardHandler))
	for range 20 {
		_, err := settler.Settle(s.t.Context())
		if err == nil {
			_, err = settler.Refund(s.t.Context())
		}
		if err == nil {
			_, err = tender.Tend(s.t.Context(), s.sale.Performances[0])
		}
		if err == nil {
			err = settler.EndStrays(s.t.Context(), s.sale.Performances[0])
		}
		var open int // one that is acting waits for its fan
		if err == nil {
			err = s.db.QueryRow(s.t.Context(), `select (select count(*) from attempts where state not in ('done', 'closed', 'acting')) + (select count(*) from cancellations where state = 'refunding' or not freed)`).Scan(&open)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if open == 0 {
			return
		}
	}
	s.t.Fatal("after 20 rounds there is still an attempt to settle")
}

// left is what is on disk of a buyer.
func (s *shop) left(b *buyer) string {
	s.t.Helper()
	var text string
	err := s.db.QueryRow(s.t.Context(), `select coalesce(string_agg(a.state || ', order ' || coalesce(o.state, '-') || ', payment ' || coalesce(p.state, '-'), '; ' order by a.created_at), 'no attempt')
		from attempts a left join orders o on o.performance_id = a.performance_id and o.attempt_id = a.id left join sandbox_payments p on p.attempt_id = a.id
		where a.session_id = $1`, b.session).Scan(&text)
	if err != nil {
		s.t.Fatal(err)
	}
	snap, err := s.stock.Snapshot(s.t.Context(), s.sale.Performances[0])
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range snap.Holds {
		if slices.Contains(h.Units, b.units[0]) {
			return text + ", hold " + h.State
		}
	}
	return text
}

// cameIn is what of an order's price came with an exchange, and wentOn what of its
// payment went on with one, or was kept.
const (
	cameIn = `coalesce((select sum(f.amount) from order_funds f where f.order_id = o.id), 0)`
	wentOn = `coalesce((select sum(f.amount) from order_funds f where f.from_order = o.id), 0) + coalesce((select sum(c.kept) from cancellations c where c.order_id = o.id), 0)`
)

// agree wants money, tickets, the ledger and Redis to agree.
func (s *shop) agree(after string) {
	s.t.Helper()
	for what, query := range map[string]string{
		"attempts that are open":                  `select count(*) from attempts where state not in ('done', 'closed', 'acting')`,
		"orders that are pending":                 `select count(*) from orders o join attempts a on a.performance_id = o.performance_id and a.id = o.attempt_id where o.state = 'pending' and a.state <> 'acting'`,
		"coupons that are used for no paid order": `select count(*) from coupon_copies c where c.state = 'redeemed' and not exists (select from orders o where o.id = c.order_id and o.state in ('paid', 'pending'))`,
		"coupons that are kept by nobody's hold":  `select count(*) from coupon_copies c where c.state = 'reserved' and exists (select from attempts a where a.hold_id = c.hold_id and a.state = 'done')`,
		"payments without an order": `select count(*) from sandbox_payments p where p.state = 'captured' and not exists (select from orders o where o.attempt_id = p.attempt_id and o.amount = p.amount + ` + cameIn + `
			and (o.state = 'paid' or p.amount = coalesce((select sum(amount) from sandbox_refunds r where r.attempt_id = p.attempt_id), 0) + ` + wentOn + ` or exists (select from sandbox_disputes d where d.attempt_id = p.attempt_id and d.state = 'lost')
			or exists (select from cancellations c where c.attempt_id = p.attempt_id and c.state = 'failed' and c.reason = '` + refusedAtFirst + `')))`,
		"payments that are reserved for nothing":     `select count(*) from sandbox_payments p join attempts a on a.id = p.attempt_id where p.state = 'authorized' and a.state in ('done', 'closed')`,
		"refunds of more than was canceled":          `select count(*) from (select attempt_id, sum(amount) as back from sandbox_refunds group by attempt_id) r where back <> coalesce((select sum(amount) from cancellations c where c.attempt_id = r.attempt_id and c.state = 'refunded'), 0)`,
		"cancellations that are not through":         `select count(*) from cancellations where state <> 'refunded' and not (state = 'failed' and reason = '` + refusedAtFirst + `') or not freed`,
		"orders without their payment":               `select count(*) from orders o where o.state = 'paid' and o.tender = '' and o.amount <> ` + cameIn + ` and not exists (select from sandbox_payments p where p.attempt_id = o.attempt_id and p.state = 'captured' and p.amount + ` + cameIn + ` = o.amount)`,
		"exchanges after which both are good":        `select count(*) from exchanges x join attempts a on a.id = x.attempt_id where a.state = 'done' and exists (select from tickets t where t.id = any(x.tickets) and t.state <> 'canceled')`,
		"exchanges after which neither is good":      `select count(*) from exchanges x join attempts a on a.id = x.attempt_id where a.state = 'closed' and exists (select from tickets t where t.id = any(x.tickets) and t.state <> 'valid') and not exists (select from exchanges y join attempts b on b.id = y.attempt_id and b.state = 'done' where y.tickets = x.tickets)`,
		"canceled orders with a ticket that is good": `select count(*) from orders o join tickets t on t.performance_id = o.performance_id and t.order_id = o.id where o.state = 'canceled' and t.state <> 'canceled'`,
		"paid orders without all of their tickets":   `select count(*) from orders o join attempts a on a.performance_id = o.performance_id and a.id = o.attempt_id where o.state = 'paid' and cardinality(a.units) <> (select count(*) from tickets t where t.performance_id = o.performance_id and t.order_id = o.id and t.state in ('valid', 'blocked', 'void') and t.unit = any(a.units))`,
		"valid tickets without a paid order":         `select count(*) from tickets t join orders o on o.performance_id = t.performance_id and o.id = t.order_id where t.state = 'valid' and o.state <> 'paid'`,
		"webhooks of what is not so":                 `select count(*) from webhook_events v where v.kind = 'order.paid' and not exists (select from orders o where o.id = v.subject and o.state in ('paid', 'canceled'))`,
		"places that are offered what is not held":   `select count(*) from returns_entries where state = 'offering'`,
		"units with two tickets":                     `select count(*) from (select from tickets where state <> 'canceled' group by performance_id, unit having count(*) > 1) twice`,
		"paid orders without one line of the money":  `select count(*) from orders o where o.state = 'paid' and 1 <> (select count(*) from order_ledger l where l.performance_id = o.performance_id and l.order_id = o.id and l.entry = 'captured')`,
	} {
		n, err := 1, error(nil)
		for deadline := time.Now().Add(10 * time.Second); n > 0 && err == nil && time.Now().Before(deadline); { // a webhook may be under way
			err = s.db.QueryRow(s.t.Context(), query).Scan(&n)
		}
		if err != nil || n != 0 {
			s.t.Errorf("%s: %d %s, %v", after, n, what, err)
		}
	}
	if bad, _, err := s.orders.Audit(s.t.Context(), s.sale.Performances[0]); err != nil || len(bad) > 0 {
		s.t.Errorf("%s: by the ledger %v, %v", after, bad, err)
	}
	report, err := s.stock.Check(s.t.Context(), s.sale.Performances[0], inventory.With(s.orders, s.shows, s.lists))
	if err != nil || !report.OK() {
		s.t.Errorf("%s: the inventory is %+v, %v", after, report, err)
	}
}
