package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	"github.com/ropeline/ropeline/internal/devstack/mailbox"
)

// A core that is killed, with SIGKILL, at any request that it makes of Redis, of
// Postgres or of the payment provider, before it was carried out or right after,
// leaves nothing behind that a restart does not bring to an end at which money,
// tickets and Redis agree; and the fan who asks again gets an answer.
//
// The steps are those that a run which nobody disturbs is seen to make. One that
// is new is in the matrix by itself, and so is a route: each that changes
// something needs an operation here. What a kill left on disk, and what came of it,
// is a row of the table in ARCHITECTURE.md, and each row there is seen here.
//
// `make test-faults` tries them all, in lanes of a shop each, and prints a row for each;
// a test run takes a few.
func TestNoStepOfABookingIsLostWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	m := &matrix{which: os.Getenv("ROPELINE_TEST_FAULTS"), table: rowsOf(t), seen: map[remains]int{}}
	lanes := 1
	if m.which != "" {
		lanes = 4
	}
	t.Run("lanes", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				m.run(openShop(t), lane, lanes)
			})
		}
	})
	missed := strings.Join(m.missed, "\n")
	if t.Logf("%d kills, and %d steps that were not come to again:\n%s", m.tried-len(m.missed), len(m.missed), missed); m.tried < 4 || len(m.missed) > max(1, m.tried/200) {
		t.Errorf("only %d of %d kills took place, without\n%s", m.tried-len(m.missed), m.tried, missed)
	}
	m.compare(t)
}

// matrix is every step of every operation, and what came of a kill there.
type matrix struct {
	which string // the operations whose every step is tried; empty: a step of a few

	table map[remains]bool // of ARCHITECTURE.md

	mu         sync.Mutex
	operations []operation
	seen       map[remains]int
	tried      int
	missed     []string // steps that were not come to again
}

// remains is what a kill leaves on disk, and what is there in the end, for whoever
// asks again.
type remains struct{ operation, left, end string }

// run tries the operations of one lane.
func (m *matrix) run(s *shop, lane, lanes int) {
	s.t.Helper()
	operations := s.operations()
	if lane == 0 {
		m.operations = operations
		everyRouteIn(s.t, operations)
		everyTidingIn(s.t, operations)
	}
	all := regexp.MustCompile(m.which)
	for i, o := range operations {
		if m.which == "" && !o.always || !all.MatchString(o.name) || i%lanes != lane {
			continue
		}
		m.operation(s, o, i)
		if m.which != "" && m.unseen(o.name) { // something else may have been under way at a step
			m.operation(s, o, i)
		}
	}
}

// operation kills at the steps of one.
func (m *matrix) operation(s *shop, o operation, i int) {
	s.t.Helper()
	first := s.steps(o) // may have more: Redis has to be told some scripts, and is asked twice
	steps := slices.DeleteFunc(s.steps(o), func(step string) bool { return !slices.Contains(first, step) })
	if len(steps) == 0 {
		s.t.Errorf("%s makes no step", o.name)
	}
	for k, step := range steps {
		for _, cut := range []devtest.Cut{devtest.Before, devtest.After} {
			if m.which == "" && (cut == devtest.Before || k != (i+len(steps)/2)%len(steps)) {
				continue // a different part of each operation
			}
			m.kill(s, o, step, cut)
		}
	}
}

// unseen says whether the table has a row of an operation that nothing came to.
func (m *matrix) unseen(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.table {
		if r.operation == name && m.seen[r] == 0 {
			return true
		}
	}
	return false
}

// rowsOf reads the table in ARCHITECTURE.md.
func rowsOf(t *testing.T) map[remains]bool {
	t.Helper()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n| operation | what a kill left | what came of it |\n|---|---|---|\n")
	table := map[remains]bool{}
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 3 {
			break
		}
		for _, name := range strings.Split(strings.TrimPrefix(cells[0], "| "), "; ") {
			table[remains{name, cells[1], strings.TrimSuffix(cells[2], " |")}] = true
		}
	}
	return table
}

// compare holds the table against what was seen.
func (m *matrix) compare(t *testing.T) {
	t.Helper()
	told := map[string]bool{}
	for r := range m.table {
		told[r.operation] = true
	}
	names := map[string]bool{}
	for _, o := range m.operations {
		if names[o.name] = true; !told[o.name] {
			t.Errorf("the table in ARCHITECTURE.md has no row of %q", o.name)
		}
	}
	for name := range told {
		if !names[name] {
			t.Errorf("the table in ARCHITECTURE.md has a row of %q, which the matrix has not", name)
		}
	}
	var rows []string
	for r, n := range m.seen {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", r.operation, r.left, r.end))
		if !m.table[r] {
			t.Errorf("the table in ARCHITECTURE.md lacks what was seen %d times: %s", n, rows[len(rows)-1])
		}
	}
	slices.Sort(rows)
	t.Logf("as rows of the table:\n%s", strings.Join(rows, "\n"))
	all := regexp.MustCompile(m.which)
	for r := range m.table {
		if m.which != "" && all.MatchString(r.operation) && m.seen[r] == 0 {
			t.Errorf("the table in ARCHITECTURE.md has what was not seen: | %s | %s | %s |", r.operation, r.left, r.end)
		}
	}
}

// everyRouteIn wants an operation for each route that changes something.
func everyRouteIn(t *testing.T, operations []operation) {
	t.Helper()
	for _, r := range api.Routes {
		if r.Method == http.MethodGet || r.Access == api.Bag || r.Access == api.Desk || r.ID == "create-bag" || r.Access == api.Doorstep || r.Access == api.Account && !strings.Contains(r.ID, "post") || r.Access == api.Team || r.Access == api.Admin || r.ID == "preview-look" || r.ID == "put-badge" || r.ID == "preview-wording" || r.ID == "preview-newsletter" || r.ID == "hear-mail" {
			continue // a coupon that is in no hold moves in one transaction, as accounts, but what they say in public, and those who work for somebody do, and nobody has paid; of a preview and of a badge nothing is kept; a report of the mail provider is taken in in one transaction, by its id
		}
		if !slices.ContainsFunc(operations, func(o operation) bool { return slices.Contains(o.routes, r.ID) }) {
			t.Errorf("no operation of the matrix is about %s", r.ID)
		}
	}
}

func (m *matrix) kill(s *shop, o operation, step string, cut devtest.Cut) {
	s.t.Helper()
	left, end, reached := s.kill(o, step, cut)
	for more := 4; !reached && more > 0; more-- { // the sandbox's webhook comes when it comes, and does what others do not have to do then
		left, end, reached = s.kill(o, step, cut)
	}
	when := map[devtest.Cut]string{devtest.Before: "before", devtest.After: "after"}[cut]
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tried++; !reached {
		m.missed = append(m.missed, fmt.Sprintf("%s, %s %q", o.name, when, step))
	} else {
		m.seen[remains{o.name, left, end}]++
	}
	s.t.Logf("%-28s | %-6s | %-78s | %-60s | %s", o.name, when, step, left, end)
}

// shop is a booking core of one process, and what is needed to look behind it.
type shop struct {
	links  []byte
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
	guards []string        // and of cores alone
	core   process
	ears   *ears
	box    *mailbox.Box // what workers have sent
	post   []string     // and where to, as flags of workers
	plain  []string     // those, of one without a site
	dead   atomic.Bool  // what had to be killed is
}

func openShop(t *testing.T) *shop {
	r := devtest.PrivateRedis(t)
	s := newShop(t, r, devtest.PostgresDSN(t), catalogue.Plan{General: 20_000, Seats: 40, Sale: ropeline.Sale{ID: "faults", Hold: 600, HoldExtensions: 1}})
	s.offerCoupons(r.Client)
	s.ears = listens(t)
	var smtp string
	s.box, smtp = mailServer(t)
	s.plain = []string{"--smtp", smtp, "--mail-from", "tickets@example.org"}
	s.post = s.plain
	s.next = 40 // after the seats, which the returns list is about
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"limits": {"card_tickets": 2}}`), 0o600); err != nil { // what each buyer takes
		t.Fatal(err)
	}
	s.guards = []string{"--abuse-policy", policy}
	s.start()
	s.idle = s.asks(func() { // what it finds is made anew by itself, a moment after something has changed
		s.exec(`insert into find_stale (kind, id, spread) select 'event', id, true from events`)
	})
	s.idle["script score"] = true // counted a moment later: no request waits for it
	var worker int
	s.rests = s.asks(func() { worker = s.work() })
	s.rests["set"], s.rests["xrange"] = true, true // each second, of one with a site: no more than looking for turns that are near
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
	s.links = links
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
	if _, err := s.db.Exec(t.Context(), `update performances set tariff = '{"refund": {"before": 60}, "exchange": {"before": 60, "fee": 500}, "transfer": {"before": 60}, "names": {"on": true, "before": 60}}'`); err != nil { // until a minute before it begins
		t.Fatal(err)
	}
	return s
}

// scripts are the Lua files of the booking core, name by text.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../booking/*/lua/*.lua")
	more, _ := filepath.Glob("../../internal/tries/lua/*.lua")
	files = append(files, more...)
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
		"--webhooks-inside", "--private-listen", "off"}, slices.Concat(s.flags, s.post)...)...)
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

// start runs a core until it sells, and ends the one that ran: two would build what is new for
// each other, and wait for a line that the other wrote.
func (s *shop) start() {
	s.t.Helper()
	s.end()
	s.core = startProcess(s.t, append([]string{"booking", "--redis", s.redis, "--postgres", s.dsn, "--keys", string(s.keys),
		"--listen", "127.0.0.1:0", "--webhooks-inside", "--private-listen", "off"}, slices.Concat(s.flags, s.guards)...)...)
	b := s.buyer()
	s.await("the core sells", func() bool {
		status, _ := s.do(b, http.MethodPost, "/api/v1/holds", map[string]any{"performance": s.sale.Performances[0], "units": []int{-1}}, "")
		return status != 0 && status != http.StatusServiceUnavailable
	})
}

// built waits until the core has built a performance so many times: once when it has
// started, or when the performance is new, and once more when its reserves change. It does so
// by itself, a second later at the most: no operation's request waits for that.
func (s *shop) built(performance string, times int) {
	s.t.Helper()
	line := regexp.MustCompile(`inventory rebuilt from Postgres.*` + regexp.QuoteMeta(performance))
	s.await("the core has built "+performance, func() bool { return len(line.FindAllString(s.core.log.String(), times)) == times })
}

// end kills the core, if one runs.
func (s *shop) end() {
	s.t.Helper()
	if s.core.pid == 0 {
		return
	}
	if err := syscall.Kill(s.core.pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) await(what string, is func() bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not after a minute: %s; the core says\n%s", what, s.core.log)
		}
	}
}

// buyer is a fan at the booking core.
type buyer struct {
	token, session, hold, key, coupon, order, link, entry string
	place                                                 ropeline.PlaceID
	block                                                 string
	transfer                                              string
	person                                                string // whose account it is
	endpoint, event                                       string // of webhooks
	show                                                  string // the event that something is said of
	units                                                 []int
	tickets                                               []any       // of the order
	cause                                                 string      // of a letter, as LIKE says it
	over                                                  func() bool // nothing is left to a worker that wrote it; nil: its jobs say so
	copy                                                  int         // of the coupon
	changes                                               int         // of the catalogue that there were
	wants                                                 []int       // units instead
}

func (s *shop) buyer() *buyer {
	s.t.Helper()
	b := &buyer{session: uuid.NewString(), key: uuid.NewString(), place: ropeline.PlaceID(rand.Text()[:22]), units: []int{s.next, s.next + 1}}
	s.next += 2
	s.enter(b, s.sale.ID)
	return b
}

// enter lets a buyer into a sale.
func (s *shop) enter(b *buyer, sale ropeline.SaleID) {
	s.t.Helper()
	now, err := time.Now(), error(nil)
	b.token, err = s.signer.Sign(token.Claims{Sale: sale, Place: b.place, Session: b.session, IssuedAt: now, Expires: now.Add(time.Minute), SessionEnds: now.Add(50 * time.Minute)})
	if err != nil {
		s.t.Fatal(err)
	}
}

// do sends a request. The status is 0 if there was no answer.
func (s *shop) do(b *buyer, method, path string, body any, key string, headers ...string) (int, map[string]any) {
	s.t.Helper()
	text, file := body.([]byte)
	if !file {
		var err error
		if text, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
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
	worker := 0
	if o.worker {
		worker = s.work()
	}
	s.whole(o, b, o.act(b), worker)
	return steps
}

// whole brings an operation to its end that nobody disturbs any more. The worker of one that
// has one is taken away, and its core started anew, as after a kill.
func (s *shop) whole(o operation, b *buyer, status, worker int) {
	s.t.Helper()
	if status != o.want {
		s.t.Fatalf("%s: %d, want %d", o.name, status, o.want)
	}
	s.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil)
	if o.worker {
		_ = syscall.Kill(worker, syscall.SIGKILL)
		s.start()
	}
	o.finish(b)
	s.settle()
	s.agree(o.name)
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
	s.end() // before what it would build is taken away
	// An operation has the endpoints that it adds. So it is with sales: each core that starts would build what the
	// others made, for seconds, while it is watched, and with refunds of all, which it would go on with.
	if _, err := s.db.Exec(s.t.Context(), `with made as (delete from sale_performances where sale_id <> $1), refunded as (delete from bulk_refunds) delete from webhook_endpoints`, s.sale.ID); err != nil {
		s.t.Fatal(err)
	}
	s.start()
	s.built(string(s.sale.Performances[0]), 1)
	b := s.buyer()
	o.prepare(b)
	b.changes = s.count(`select count(*) from catalogue_changes`)
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
	var met atomic.Bool
	s.cut(pid, func(name string) devtest.Cut {
		seen[name]++
		if now := numbered(name, seen[name]); now != step || pid.Load() == 0 {
			return devtest.Let
		}
		met.Store(true)
		return cut
	})
	if o.worker {
		pid.Store(int64(s.work()))
	}
	what := fmt.Sprintf("%s, killed %v %q", o.name, cut, step)
	status := o.act(b)
	if !met.Load() {
		s.tap.Watch(func(string) devtest.Cut { return devtest.Let }, nil) // which it may be up to here
	}
	if !met.Load() {
		s.whole(o, b, status, int(pid.Load())) // what it has taken would be missed by the next
		return "", "it did not come to that", false
	}
	s.await("the process is killed", s.dead.Load) // whoever asked may have been answered before
	left = s.left(b)
	s.start()
	s.settle()
	s.agree(what)
	end = o.finish(b)
	s.settle()
	s.agree(what + ", and asked again")
	return left, end, true
}

// settle brings what is half done to its end. A core that has just started may be at
// some of it, too.
func (s *shop) settle() {
	s.t.Helper()
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	settler := order.NewSettler(s.orders, s.holds, s.money, 0, time.Second, log)
	tender := returns.NewTender(s.lists, time.Second, time.Hour, nil, log)
	for deadline := time.Now().Add(20 * time.Second); ; {
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
		if time.Now().After(deadline) {
			s.t.Fatalf("after 20 s %d attempts are not settled:\n%s", open, &said)
		}
	}
}

// left is what is on disk of a buyer, in the words of the table in ARCHITECTURE.md.
func (s *shop) left(b *buyer) string {
	s.t.Helper()
	snap, err := s.stock.Snapshot(s.t.Context(), s.sale.Performances[0])
	if err != nil {
		s.t.Fatal(err)
	}
	var parts []string
	for _, of := range []struct {
		name  string
		units []int
	}{{"units", b.units}, {"new units", b.wants}} {
		if len(of.units) > 0 {
			if state := unitIs(snap, of.units[0]); state != "" {
				parts = append(parts, of.name+" "+state)
			}
		}
	}
	if len(snap.Pool) > 0 {
		parts = append(parts, "a unit in the pool")
	}
	if b.entry != "" {
		e, err := s.lists.Entry(s.t.Context(), b.entry)
		if err != nil {
			s.t.Fatal(err)
		}
		if i := slices.IndexFunc(snap.Holds, func(h inventory.HeldUnits) bool { return h.ID == e.Hold }); i >= 0 {
			parts = append(parts, "offer "+snap.Holds[i].State)
		}
	}
	rows, err := s.db.Query(s.t.Context(), onDisk, pgx.NamedArgs{"session": b.session, "order": b.order, "key": b.key, "offer": s.offer, "copy": b.copy, "entry": b.entry, "person": b.person, "cause": b.cause,
		"email": "fan" + b.key + "@example.org", "place": string(b.place), "changes": b.changes})
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	if b.event != "" && s.ears.has(b.event) {
		found = append(found, "it was heard")
	}
	if parts = append(parts, found...); len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// unitIs says what Redis has of a unit, nothing if it is free.
func unitIs(snap inventory.Snapshot, unit int) string {
	for _, h := range snap.Holds {
		if slices.Contains(h.Units, unit) {
			return h.State
		}
	}
	switch {
	case snap.Sold.Has(unit):
		return "sold"
	case snap.Taken.Has(unit):
		return "taken"
	}
	return ""
}

// onDisk is a text for each thing that Postgres, the provider's books included, has of a buyer.
const onDisk = `
	select text from (
		select 1 as n, a.created_at as at, 'attempt ' || a.state || coalesce(', order ' || o.state, '')
			|| coalesce((select ', tickets ' || string_agg(distinct t.state, ' and ') from tickets t where t.performance_id = o.performance_id and t.order_id = o.id), '')
			|| coalesce(', payment ' || p.state, '')
			|| coalesce((select ', cancellation ' || c.state || case when c.freed then ', freed' else ', not freed' end from cancellations c where c.order_id = o.id), '')
			|| coalesce((select ', refunded' from sandbox_refunds r where r.attempt_id = a.id limit 1), '')
			|| coalesce((select ', dispute ' || d.state from order_disputes d where d.attempt_id = a.id), '') as text
		from attempts a left join orders o on o.performance_id = a.performance_id and o.attempt_id = a.id left join sandbox_payments p on p.attempt_id = a.id
		where a.session_id = @session or a.from_order::text = @order
	union all
		select 2, now(), 'coupon ' || state from coupon_copies where coupon_id::text = @offer and number = @copy
	union all
		select 3, now(), 'place ' || state from returns_entries where id::text = @entry or email = @email
	union all
		select 4, now(), 'endpoint ' || state || ' with secret ' || generation || coalesce((select ', ' || string_agg(distinct d.state, ' and ') from webhook_deliveries d where d.endpoint_id = e.id), '') from webhook_endpoints e
	union all
		select 5, now(), 'block ' || state from abuse_blocks where subject = @place
	union all
		select 7, n.created_at, 'holder ' || r.state || coalesce(', letter ' || m.state, '') from notices n join notice_recipients r on r.notice_id = n.id left join mails m on m.id = r.mail_id where n.subject = @key
	union all
		select 10, n.created_at, 'reader ' || r.state || coalesce(', letter ' || m.state, '') from newsletters n join newsletter_recipients r on r.newsletter_id = n.id left join mails m on m.id = r.mail_id where n.subject = @key
	union all
		select 8, now(), 'letter ' || state from mails where cause = @key or cause like 'confirmation:' || @order || ':%' or cause like 'reminder:' || @order || ':%' or cause like @cause
	union all
		select 9, x.created_at, 'transfer ' || x.state || ', issue ' || k.issue from transfers x join tickets k on k.performance_id = x.performance_id and k.id = x.ticket_id where x.order_id::text = @order
	union all
		select 10, now(), 'a name' where exists (select from tickets where order_id::text = @order and holder is null and name <> '')
	union all
		select 11, now(), case when undone_at is null then 'scan passed' else 'scan taken back' end from scans where device = @key
	union all
		select 12, created_at, 'post ' || state || case when answer <> '' then ', answered' else '' end || case when edited_at is not null then ', changed' else '' end || case when reported > 0 then ', reported' else '' end
		from posts where name = @key and state <> 'waiting' or key = @key
	union all
		select 13, now(), 'wish ' || state from opening_wishes where id::text = @key
	union all
		select 14, now(), case when ends_at is null then 'number confirmed' else 'number to be confirmed' end from phone_proofs where person_id::text = @person
	union all
		select 6, now(), 'the change' where (select count(*) from catalogue_changes) > @changes
	) found order by n, at`

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
		"paid orders without all of their tickets": `select count(*) from orders o join attempts a on a.performance_id = o.performance_id and a.id = o.attempt_id where o.state = 'paid' and cardinality(a.units) <> (select count(*) from tickets t where t.performance_id = o.performance_id and t.order_id = o.id and t.state in ('valid', 'blocked', 'void') and t.unit = any(a.units))
			+ coalesce((select sum(cardinality(c.units)) from cancellations c where c.performance_id = o.performance_id and c.order_id = o.id), 0)`,
		"valid tickets without a paid order":              `select count(*) from tickets t join orders o on o.performance_id = t.performance_id and o.id = t.order_id where t.state = 'valid' and o.state <> 'paid'`,
		"webhooks of what is not so":                      `select count(*) from webhook_events v where v.kind = 'order.paid' and not exists (select from orders o where o.id = v.subject and o.state in ('paid', 'canceled'))`,
		"places that are offered what is not held":        `select count(*) from returns_entries where state = 'offering'`,
		"paid orders of which nobody is told, or twice":   `select count(*) from orders o where o.state = 'paid' and 1 <> (select count(*) from river_job j where j.args @> jsonb_build_object('what', 'confirmation', 'order', o.id))`,
		"cancellations of which nobody is told, or twice": `select count(*) from cancellations c where 1 <> (select count(*) from river_job j where j.args @> jsonb_build_object('what', 'cancellation', 'cancellation', c.id))`,
		"refunds of which nobody is told, or twice":       `select count(*) from cancellations c where c.amount > 0 and c.state = 'refunded' and 1 <> (select count(*) from river_job j where j.args @> jsonb_build_object('what', 'refund', 'cancellation', c.id))`,
		"tickets whose holder did not accept them":        `select count(*) from tickets k where (k.holder is not null or k.issue > 1) and not exists (select from transfers x where x.id = k.holder and x.ticket_id = k.id and x.state = 'accepted')`,
		"offers of which nobody is told, or twice":        `select count(*) from transfers x where 1 <> (select count(*) from river_job j where j.args @> jsonb_build_object('what', 'transfer', 'transfer', x.id))`,
		"transfers of which nobody is told, or twice":     `select count(*) from transfers x where state = 'accepted' and 1 <> (select count(*) from river_job j where j.args @> jsonb_build_object('what', 'given', 'transfer', x.id))`,
		"units with two tickets":                          `select count(*) from (select from tickets where state <> 'canceled' group by performance_id, unit having count(*) > 1) twice`,
		"paid orders without one line of the money":       `select count(*) from orders o where o.state = 'paid' and 1 <> (select count(*) from order_ledger l where l.performance_id = o.performance_id and l.order_id = o.id and l.entry = 'captured')`,
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
