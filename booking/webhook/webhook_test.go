package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// shop sells one performance of 20 places, on real servers, and tells who wants to know.
type shop struct {
	t     testing.TB
	db    *pgxpool.Pool
	rdb   redis.UniversalClient
	id    ropeline.PerformanceID
	sale  ropeline.SaleID
	shows *catalogue.Store
	units *inventory.Store
	holds *hold.Store
	desk  *order.Desk
	store *Store
}

func open(t testing.TB) *shop {
	t.Helper()
	s := &shop{t: t, db: devtest.Postgres(t), rdb: devtest.Redis(t)}
	s.shows, s.units, s.holds = catalogue.New(s.db, time.Now), inventory.New(s.rdb), hold.New(s.rdb)
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := s.shows.Seed(t.Context(), catalogue.Plan{Venue: "Opera", StartsAt: opens.Add(time.Hour), General: 20, Sale: ropeline.Sale{
		ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour),
		Cap: 10, Rate: 60, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.id, s.sale = sale.Performances[0], sale.ID
	orders := order.NewStore(s.db, s.shows)
	if _, err := s.units.Rebuild(t.Context(), s.id, orders); err != nil {
		t.Fatal(err)
	}
	s.desk = order.NewDesk(order.Config{Store: orders, Catalogue: s.shows, Holds: s.holds, Provider: sandbox.New(s.db), Key: make([]byte, 32), Random: rand.Reader, Log: s.log()})
	s.store = New(s.db, make(Keys, 32), true)
	t.Cleanup(orders.Close)
	t.Cleanup(s.holds.Close)
	return s
}

func (s *shop) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	_, err := s.db.Exec(s.t.Context(), sql, args...)
	s.must(err)
}

func (s *shop) hold(n int, session string) hold.Hold {
	s.t.Helper()
	w := hold.Request{ID: uuid.NewString(), Performance: s.id, Sale: s.sale, Session: session, SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute}
	if session == "" {
		w.Session = order.CounterSession(w.ID)
	}
	h, err := s.holds.Any(s.t.Context(), w, n, catalogue.Range{First: 0, Count: 20})
	s.must(err)
	return h
}

func (s *shop) buys(n int) order.Order {
	s.t.Helper()
	return s.buysBy(n, sandbox.OK)
}

func (s *shop) buysBy(n int, method string) order.Order {
	s.t.Helper()
	h := s.hold(n, uuid.NewString())
	o, err := s.desk.Checkout(s.t.Context(), order.Request{Sale: s.sale, Place: "place", Session: h.Session, Key: uuid.NewString(), Hold: h.ID, Email: "fan@example.org", Method: method})
	s.must(err)
	return o
}

func (s *shop) buysAtCounter(n int) order.Order {
	s.t.Helper()
	o, err := s.desk.Sell(s.t.Context(), order.CounterSale{Performance: s.id, Hold: s.hold(n, "").ID, Key: uuid.NewString(), Tender: order.Cash, Who: "staff:kim"})
	s.must(err)
	return o
}

func (s *shop) cancels(o order.Order, tickets ...string) {
	s.t.Helper()
	c := order.Cancel{Order: o.ID, Tickets: tickets, Who: order.Staff("ann"), Reason: "ill", Full: true}
	if o.Tender != "" {
		c.Tender = order.Cash
	}
	_, err := s.desk.Cancel(s.t.Context(), c)
	s.must(err)
}

// receiver is an integrator's server: it takes what is signed with one of its secrets.
type receiver struct {
	*httptest.Server
	answer func(n int, w http.ResponseWriter, r *http.Request) // nil: takes everything

	mu       sync.Mutex
	n        int
	secrets  []string
	taken    []event // signed and answered with 200
	problems []string
	news     chan struct{} // something has come
}

type event struct {
	id, body string
	Type     string
	Version  int
	Data     map[string]any
}

func receive(t testing.TB) *receiver {
	r := &receiver{news: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	n := r.n
	defer func() {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}()
	e := event{id: req.Header.Get("webhook-id"), body: string(body)}
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	signed := 0
	for _, secret := range r.secrets {
		library, problem := standardwebhooks.NewWebhook(secret)
		if problem == nil && library.Verify(body, req.Header) == nil && byHand(secret, req.Header, body) {
			signed++
		}
	}
	if err != nil || signed == 0 {
		r.problems = append(r.problems, fmt.Sprintf("%v, signed by %d of %d: %v %s", err, signed, len(r.secrets), req.Header, body))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.answer != nil {
		seen := &noted{ResponseWriter: w, status: http.StatusOK}
		r.mu.Unlock()
		r.answer(n, seen, req)
		r.mu.Lock()
		if seen.status/100 != 2 {
			return
		}
	}
	r.taken = append(r.taken, e)
}

type noted struct {
	http.ResponseWriter
	status int
}

func (k *noted) WriteHeader(status int) { k.status = status; k.ResponseWriter.WriteHeader(status) }

// byHand checks a signature with nothing but the words of the standard.
func byHand(secret string, h http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || !strings.HasPrefix(secret, "whsec_") || len(key) != 32 {
		return false
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(body)))
	return slices.Contains(strings.Split(h.Get("webhook-signature"), " "), "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

// add makes an endpoint of a receiver.
func (s *shop) add(r *receiver, kinds ...string) Endpoint {
	s.t.Helper()
	if len(kinds) == 0 {
		kinds = Kinds
	}
	e, secret, err := s.store.Add(s.t.Context(), Plan{URL: r.URL, Kinds: kinds}, uuid.NewString(), "staff:ada")
	s.must(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret)
	return e
}

// sender is one that is quick.
func (s *shop) sender() *Sender {
	return NewSender(s.store, 10*time.Millisecond, NewMetrics(nil), s.log())
}

// runs runs a sender until the test ends.
func (s *shop) runs(w *Sender) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the sender ended with %v", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// round delivers what is due now, once.
func (s *shop) round(w *Sender) {
	s.t.Helper()
	var lanes sync.WaitGroup
	s.must(w.begin(s.t.Context(), &lanes))
	lanes.Wait()
	w.client.CloseIdleConnections()
}

func (r *receiver) kinds() (kinds []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.taken {
		kinds = append(kinds, e.Type)
	}
	return kinds
}

func (r *receiver) clean(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.problems) > 0 {
		t.Errorf("received what is not right: %v", r.problems)
	}
}

// await waits for something that a receiver is told.
func (r *receiver) await(t testing.TB, what string, is func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-r.news:
		case <-look.C:
		case <-limit.C:
			t.Fatalf("not after 30 s: %s; taken %v", what, r.kinds())
		}
	}
}

func (s *shop) count(query string, want int, args ...any) {
	s.t.Helper()
	var got int
	if err := s.db.QueryRow(s.t.Context(), query, args...).Scan(&got); err != nil || got != want {
		s.t.Errorf("%s: %d, %v; want %d", query, got, err, want)
	}
}

func TestWhatHappensIsTold(t *testing.T) {
	t.Parallel()
	s, r, some := open(t), receive(t), receive(t)
	s.buys(1) // nobody wants to know yet
	s.count(`select count(*) from webhook_events`, 0)
	s.add(r)
	s.add(some, OrderCanceled)
	w := s.sender()

	o := s.buys(3)
	s.round(w)
	want := []string{OrderPaid}
	if got := r.kinds(); !slices.Equal(got, want) {
		t.Fatalf("told %v, want %v", got, want)
	}
	e := r.taken[0]
	tickets, _ := e.Data["tickets"].([]any)
	if e.Version != 1 || e.Data["order"] != o.ID || e.Data["performance"] != string(s.id) || e.Data["sale"] != string(s.sale) || e.Data["amount"] != float64(o.Total.Amount) ||
		e.Data["currency"] != "EUR" || e.Data["state"] != "paid" || e.Data["sold"] != "online" || len(tickets) != 3 {
		t.Errorf("told %s", e.body)
	}
	if first, _ := tickets[0].(map[string]any); first["ticket"] != o.Tickets[0].ID || first["state"] != "valid" || first["label"] != o.Tickets[0].Label {
		t.Errorf("of the first ticket %v", tickets[0])
	}
	for _, secret := range []string{"fan@", "example", o.Tickets[0].Code} { // nobody's name, and nothing that opens a door
		if strings.Contains(e.body, secret) {
			t.Errorf("%q is told: %s", secret, e.body)
		}
	}

	s.cancels(o, o.Tickets[0].ID)
	s.cancels(o)
	c := s.buysAtCounter(2)
	s.cancels(c)
	s.round(w)
	want = append(want, TicketCanceled, OrderRefunded, TicketCanceled, TicketCanceled, OrderCanceled, OrderRefunded)
	var web, counter []string
	for _, e := range r.taken {
		if e.Data["order"] == c.ID {
			counter = append(counter, e.Type)
		} else {
			web = append(web, e.Type)
		}
	}
	if !slices.Equal(web, want) {
		t.Errorf("of the web's order it was told %v\nwant %v", web, want)
	}
	if want := []string{OrderPaid, TicketCanceled, TicketCanceled, OrderCanceled, OrderRefunded}; !slices.Equal(counter, want) {
		t.Errorf("of the counter's order it was told %v\nwant %v", counter, want)
	}
	if got := some.kinds(); !slices.Equal(got, []string{OrderCanceled, OrderCanceled}) {
		t.Errorf("who wants to know of cancels only was told %v", got)
	}
	r.clean(t)
	some.clean(t)
	ids := map[string]bool{}
	for _, e := range r.taken {
		ids[e.id] = true
	}
	if len(ids) != len(r.taken) {
		t.Errorf("%d ids of %d events", len(ids), len(r.taken))
	}
	s.count(`select count(*) from webhook_deliveries where state <> 'delivered' or tries <> 1 or status <> 200`, 0)
}

// A bank wants the money back, and gets it.
func TestDisputesAreTold(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r)
	w := s.sender()
	o := s.buysBy(1, sandbox.Disputed)
	var attempt, dispute string
	s.must(s.db.QueryRow(t.Context(), `select attempt_id::text, id::text from sandbox_disputes`).Scan(&attempt, &dispute))
	hear := func() {
		t.Helper()
		e := payment.Event{ID: uuid.NewString(), About: payment.AboutDispute, Dispute: dispute, At: time.Now().UTC()}
		if _, heard, err := s.desk.Hear(t.Context(), e); err != nil || heard != order.HeardNow {
			t.Fatalf("heard %s, %v", heard, err)
		}
	}
	hear()
	hear() // nothing new
	s.must(sandbox.New(s.db).Judge(t.Context(), attempt, false))
	hear()
	s.round(w)
	if got := r.kinds(); !slices.Equal(got, []string{OrderPaid, Disputed, Disputed, TicketCanceled}) {
		t.Fatalf("told %v", got)
	}
	if first, last := r.taken[1].Data, r.taken[2].Data; first["state"] != "open" || first["order"] != o.ID || first["amount"] != float64(o.Total.Amount) || last["state"] != "lost" {
		t.Errorf("told %v, then %v", first, last)
	}
	r.clean(t)
}

// What is rolled back did not happen: nothing is told of it.
func TestWhatDidNotHappenIsNotTold(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r)
	h := s.hold(2, "s1")
	_, err := s.desk.Checkout(t.Context(), order.Request{Sale: s.sale, Place: "place", Session: "s1", Key: "k", Hold: h.ID, Email: "fan@example.org", Method: sandbox.Declined})
	if !errors.Is(err, order.ErrDeclined) {
		t.Fatal(err)
	}
	o := s.buys(1)
	tx, err := s.db.Begin(t.Context())
	s.must(err)
	_, err = tx.Exec(t.Context(), `update orders set state = 'canceled' where id = $1`, o.ID)
	s.must(err)
	s.must(tx.Rollback(t.Context()))
	s.count(`select count(*) from webhook_events`, 1)
	s.count(`select count(*) from webhook_events where kind = 'order.paid'`, 1)
}

func TestFailuresAreTriedAgainInOrder(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r, OrderPaid, OrderCanceled)
	down := true
	r.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
		if down {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	w := s.sender()
	o := s.buys(1)
	s.cancels(o)
	s.round(w)
	s.count(`select count(*) from webhook_deliveries where state = 'due' and tries = 1 and status = 503 and problem = 'it answered 503'
		and next_at between now() + interval '50 seconds' and now() + interval '61 seconds'`, 1)
	s.count(`select count(*) from webhook_deliveries where state = 'due' and tries = 0`, 1) // waits for the first
	s.count(`select count(*) from webhook_endpoints where failing_since is not null`, 1)
	s.round(w)
	if r.n != 1 {
		t.Errorf("asked %d times although it is not yet time", r.n)
	}
	down = false
	s.exec(`update webhook_deliveries set next_at = now()`)
	s.round(w)
	if got := r.kinds(); !slices.Equal(got, []string{OrderPaid, OrderCanceled}) {
		t.Errorf("told %v", got)
	}
	s.count(`select count(*) from webhook_endpoints where failing_since is null`, 1)

	// After a day it is given up, and what comes after it goes on.
	down = true
	o = s.buys(1)
	s.cancels(o)
	s.exec(`update webhook_deliveries set give_up_at = now() where n = (select min(n) from webhook_deliveries where state = 'due')`)
	s.round(w)
	s.count(`select count(*) from webhook_deliveries where state = 'failed'`, 1)
	down = false
	s.exec(`update webhook_deliveries set next_at = now()`)
	s.round(w)
	if got := r.kinds(); !slices.Equal(got, []string{OrderPaid, OrderCanceled, OrderCanceled}) {
		t.Errorf("told %v", got)
	}
	r.clean(t)
}

func TestDelaysGrowUpToADay(t *testing.T) {
	t.Parallel()
	w := &Sender{random: func() float64 { return 0.5 }}
	var all, last time.Duration
	for tries := 1; tries <= 12; tries++ {
		d := w.delay(tries)
		if d < last || d > lastDelay {
			t.Errorf("try %d waits %v after %v", tries, d, last)
		}
		last, all = d, all+d
	}
	if w.delay(1) != firstDelay || all < 20*time.Hour || all > 36*time.Hour {
		t.Errorf("the first waits %v, all %v", w.delay(1), all)
	}
	w.random = func() float64 { return 0 }
	low := w.delay(1)
	w.random = func() float64 { return 1 }
	if high := w.delay(1); low != 4*time.Second || high != 6*time.Second {
		t.Errorf("spread from %v to %v", low, high)
	}
}

// An endpoint that takes nothing for days is switched off, and says so; one that says
// that it is gone, at once. What it missed is delivered when somebody asks.
func TestAnEndpointThatFailsForDaysIsSwitchedOff(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	e := s.add(r, OrderPaid)
	answer := http.StatusInternalServerError
	r.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answer) }
	w := s.sender()
	s.buys(1)
	s.round(w)
	s.exec(`update webhook_endpoints set failing_since = now() - interval '71 hours'`)
	s.exec(`update webhook_deliveries set next_at = now()`)
	s.round(w)
	if now, err := s.store.Endpoint(t.Context(), e.ID); err != nil || now.State != On || now.FailingSince == nil || now.Due != 1 {
		t.Fatalf("%+v, %v", now, err)
	}
	s.exec(`update webhook_endpoints set failing_since = now() - interval '73 hours'`)
	s.exec(`update webhook_deliveries set next_at = now()`)
	s.round(w)
	now, err := s.store.Endpoint(t.Context(), e.ID)
	if err != nil || now.State != Broken || now.Due != 0 {
		t.Fatalf("%+v, %v", now, err)
	}
	s.buys(1) // is kept, and not sent
	s.round(w)
	if r.n != 3 {
		t.Errorf("asked %d times", r.n)
	}
	for _, err := range []error{s.store.Redeliver(t.Context(), e.ID, uuid.NewString()), func() error { _, err := s.store.RedeliverSince(t.Context(), e.ID, time.Time{}); return err }(),
		func() error { _, err := s.store.Probe(t.Context(), e.ID); return err }()} {
		if !errors.Is(err, ErrOff) {
			t.Errorf("to one that is switched off: %v", err)
		}
	}
	answer = http.StatusOK
	if now, err = s.store.Change(t.Context(), e.ID, Plan{URL: e.URL, Kinds: e.Kinds}); err != nil || now.State != On || now.FailingSince != nil {
		t.Fatalf("%+v, %v", now, err)
	}
	if n, err := s.store.RedeliverSince(t.Context(), e.ID, time.Now().Add(-time.Hour)); err != nil || n != 2 {
		t.Fatalf("%d again, %v", n, err)
	}
	if n, err := s.store.RedeliverSince(t.Context(), e.ID, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Fatalf("%d again and again, %v", n, err)
	}
	s.round(w)
	if got := r.kinds(); !slices.Equal(got, []string{OrderPaid, OrderPaid}) {
		t.Errorf("told %v", got)
	}

	list, err := s.store.Deliveries(t.Context(), e.ID, Delivered, 0)
	if err != nil || len(list) != 2 || list[0].Number < list[1].Number || list[0].Kind != OrderPaid || list[0].Status != 200 {
		t.Fatalf("deliveries %+v, %v", list, err)
	}
	if older, err := s.store.Deliveries(t.Context(), e.ID, "", list[0].Number); err != nil || len(older) != 1 {
		t.Errorf("before: %+v, %v", older, err)
	}
	s.must(s.store.Redeliver(t.Context(), e.ID, list[1].Event))
	s.round(w)
	first := slices.IndexFunc(r.taken, func(e event) bool { return e.id == list[1].Event })
	if len(r.taken) != 3 || first > 1 || r.taken[2].id != list[1].Event || r.taken[2].body != r.taken[first].body {
		t.Errorf("by hand again: %v", r.taken)
	}
	answer = http.StatusGone
	s.buys(1)
	s.round(w)
	if now, err = s.store.Endpoint(t.Context(), e.ID); err != nil || now.State != Broken {
		t.Errorf("gone: %+v, %v", now, err)
	}
	r.clean(t)
}

// What was taken to be sent still is; of the rest nothing.
func TestAnEndpointThatIsSwitchedOffMeanwhileIsToldNoMore(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r, OrderPaid)
	for range abreast + 2 {
		s.buys(1)
	}
	r.answer = func(int, http.ResponseWriter, *http.Request) {
		s.exec(`update webhook_endpoints set state = 'off'`)
	}
	s.round(s.sender())
	if r.n != abreast {
		t.Errorf("it was told %d times, want %d", r.n, abreast)
	}
	s.count(`select count(*) from webhook_deliveries where state = 'due'`, 2)
}

// Somebody was so slow to send that another sender has taken it meanwhile: whatever came of
// the older try, the newer one decides.
func TestWhatCameOfATryThatWasTakenOverCountsForNothing(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	e := s.add(r, OrderPaid)
	s.buys(1)
	take := func() parcel {
		t.Helper()
		s.exec(`update webhook_deliveries set next_at = now()`) // a lease is over
		taken, err := s.store.take(t.Context(), e.ID, abreast)
		s.must(err)
		if len(taken) != 1 {
			t.Fatalf("took %d deliveries, want 1", len(taken))
		}
		return taken[0]
	}
	tried := func(p parcel, o outcome, want string) {
		t.Helper()
		_, err := s.store.tried(t.Context(), p, o)
		s.must(err)
		s.count(`select count(*) from webhook_deliveries where state || ' ' || tries || ' ' || problem = $1`, 1, want)
	}
	slow, second := take(), take()
	tried(slow, outcome{status: http.StatusOK}, "due 2 ")
	tried(second, outcome{problem: "refused"}, "due 2 refused")
	third := take()
	tried(second, outcome{problem: "timed out"}, "due 3 refused")
	tried(third, outcome{status: http.StatusOK}, "delivered 3 ")
}

// While a secret is changed both are good; afterwards the new one.
func TestSecretsAreRotated(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	e := s.add(r, OrderPaid)
	w := s.sender()
	next, secret, err := s.store.Rotate(t.Context(), e.ID, 1, time.Hour)
	if err != nil || next.Generation != 2 || next.OldUntil == nil || secret == r.secrets[0] {
		t.Fatalf("%+v, %v", next, err)
	}
	if _, again, err := s.store.Rotate(t.Context(), e.ID, 1, time.Hour); err != nil || again != secret {
		t.Errorf("the same again: %v", err)
	}
	if _, _, err := s.store.Rotate(t.Context(), e.ID, 7, time.Hour); !errors.Is(err, ErrGeneration) {
		t.Errorf("another generation: %v", err)
	}
	s.buys(1)
	s.round(w)
	r.clean(t) // it knows the old one only
	r.secrets = []string{secret}
	s.buys(1)
	s.round(w)
	r.clean(t)
	r.secrets = []string{New(nil, make(Keys, 32), true).keys.Secret(e.ID, 1)}
	s.exec(`update webhook_endpoints set old_until = now()`)
	s.buys(1)
	s.round(w)
	if len(r.taken) != 2 || len(r.problems) != 1 {
		t.Errorf("taken %v, problems %v", r.kinds(), r.problems)
	}
}

// A receiver that is slow, or answers without end, keeps none of the others waiting,
// and leads nowhere else.
func TestAHostileReceiverKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s, good, slow, endless, elsewhere := open(t), receive(t), receive(t), receive(t), receive(t)
	s.add(good, OrderPaid)
	s.add(slow, OrderPaid)
	s.add(endless, OrderPaid)
	s.add(elsewhere, OrderPaid)
	stuck := make(chan struct{})
	slow.answer = func(_ int, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}
	t.Cleanup(func() { close(stuck) })
	endless.answer = func(_ int, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}
	inside := receive(t)
	elsewhere.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", inside.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	w := s.sender()
	stop := s.runs(w)
	for range 6 {
		s.buys(1)
	}
	good.await(t, "the good one has all", func() bool { return len(good.kinds()) == 6 })
	endless.await(t, "what answers without end has all", func() bool {
		var n int
		_ = s.db.QueryRow(t.Context(), `select count(*) from webhook_deliveries d join webhook_endpoints e on e.id = d.endpoint_id where e.url = $1 and d.state = 'delivered'`, endless.URL).Scan(&n)
		return n == 6
	})
	elsewhere.await(t, "a redirect is not taken for an answer", func() bool {
		var n int
		_ = s.db.QueryRow(t.Context(), `select count(*) from webhook_deliveries d join webhook_endpoints e on e.id = d.endpoint_id where e.url = $1 and d.status = 307`, elsewhere.URL).Scan(&n)
		return n == 6
	})
	slow.mu.Lock()
	if slow.n > abreast {
		t.Errorf("the slow one was sent %d at once, %d at most", slow.n, abreast)
	}
	slow.mu.Unlock()
	stop() // does not wait for the slow one
	if inside.n != 0 {
		t.Error("a redirect was followed")
	}
	good.clean(t)
}

// What a name leads to is judged when it is called, and what leads inside is not let in.
func TestNothingInsideIsCalled(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r, OrderPaid)
	strict := New(s.db, make(Keys, 32), false)
	for _, bad := range []string{r.URL, strings.Replace(r.URL, "http:", "https:", 1), "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://0x7f.1/\n", "ftp://example.org", "https://"} {
		if _, _, err := strict.Add(t.Context(), Plan{URL: bad, Kinds: []string{OrderPaid}}, "k", "staff:ada"); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	s.exec(`update webhook_endpoints set url = $1`, "https://localhost:"+port)
	s.buys(1)
	w := NewSender(strict, time.Second, NewMetrics(nil), s.log())
	s.round(w)
	if r.n != 0 {
		t.Error("it was called")
	}
	s.count(`select count(*) from webhook_deliveries where state = 'due' and tries = 1 and problem like '%not of the public Internet'`, 1)
}

// Several senders share the work: each event is taken once, as long as none dies.
func TestSendersShareTheWork(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r)
	for range 5 {
		s.cancels(s.buys(2))
	}
	for range 3 {
		s.runs(s.sender())
	}
	r.await(t, "all are taken", func() bool { return len(r.kinds()) == 5*5 })
	s.ordered(r)
	ids := map[string]bool{}
	for _, e := range r.taken {
		ids[e.id] = true
	}
	if len(ids) != 25 || r.n != 25 {
		t.Errorf("%d events in %d calls", len(ids), r.n)
	}
	r.clean(t)
}

// ordered wants the events of each order in their order, where repeats do not count.
func (s *shop) ordered(r *receiver) {
	s.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	number := map[string]int64{}
	rows, err := s.db.Query(s.t.Context(), `select id::text, n from webhook_events`)
	s.must(err)
	for rows.Next() {
		var id string
		var n int64
		s.must(rows.Scan(&id, &n))
		number[id] = n
	}
	s.must(rows.Err())
	last, seen := map[any]int64{}, map[string]bool{}
	for _, e := range r.taken {
		if seen[e.id] {
			continue
		}
		seen[e.id] = true
		if n := number[e.id]; n == 0 || n < last[e.Data["order"]] {
			s.t.Errorf("event %d of order %v came after %d", n, e.Data["order"], last[e.Data["order"]])
		}
		last[e.Data["order"]] = number[e.id]
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	t.Parallel()
	s := open(t)
	good := Plan{URL: "https://example.org/hook?x=1", Kinds: []string{OrderPaid}, Description: "our CRM"}
	e, secret, err := s.store.Add(t.Context(), good, "k", "staff:ada")
	s.must(err)
	if again, same, err := s.store.Add(t.Context(), good, "k", "staff:ada"); err != nil || again.ID != e.ID || same != secret {
		t.Errorf("again: %+v, %v", again, err)
	}
	for name, c := range map[string]struct {
		change func(*Plan)
		want   error
	}{
		"another with the same key": {func(p *Plan) { p.URL += "2" }, ErrKeyReused},
		"no kind":                   {func(p *Plan) { p.Kinds = nil }, ErrKind},
		"a kind twice":              {func(p *Plan) { p.Kinds = []string{OrderPaid, OrderPaid} }, ErrKind},
		"the kind of tests":         {func(p *Plan) { p.Kinds = []string{Test} }, ErrKind},
		"kind of SQL":               {func(p *Plan) { p.Kinds = []string{"'; drop table orders; --"} }, ErrKind},
		"description of two lines":  {func(p *Plan) { p.Description = "a\nb" }, ErrText},
		"long description":          {func(p *Plan) { p.Description = strings.Repeat("é", 201) }, ErrText},
		"password":                  {func(p *Plan) { p.URL = "https://a:b@example.org/" }, ErrURL},
		"fragment":                  {func(p *Plan) { p.URL = "https://example.org/#x" }, ErrURL},
		"long":                      {func(p *Plan) { p.URL += strings.Repeat("x", 2000) }, ErrURL},
		"no host":                   {func(p *Plan) { p.URL = "https:///x" }, ErrURL},
	} {
		bad := good
		c.change(&bad)
		if _, _, err := s.store.Add(t.Context(), bad, "k", "staff:ada"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, id := range []string{"x", uuid.NewString()} {
		_, err1 := s.store.Endpoint(t.Context(), id)
		_, err2 := s.store.Change(t.Context(), id, good)
		_, _, err3 := s.store.Rotate(t.Context(), id, 1, time.Hour)
		_, err4 := s.store.Probe(t.Context(), id)
		_, err5 := s.store.Deliveries(t.Context(), id, "", 0)
		for _, err := range []error{err1, err2, err3, err4, err5, s.store.Redeliver(t.Context(), id, uuid.NewString())} {
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	for _, event := range []string{"x", uuid.NewString()} {
		if err := s.store.Redeliver(t.Context(), e.ID, event); !errors.Is(err, ErrDelivery) {
			t.Errorf("no such delivery %s: %v", event, err)
		}
	}
	if off, err := s.store.Change(t.Context(), e.ID, Plan{URL: good.URL, Kinds: good.Kinds, Description: good.Description, Off: true}); err != nil || off.State != Off {
		t.Errorf("off: %+v, %v", off, err)
	}
	s.exec(`insert into webhook_endpoints (id, url, kinds, who) select gen_random_uuid(), 'https://example.org', '{}', 'staff:ada' from generate_series(1, 99)`)
	if _, _, err := s.store.Add(t.Context(), good, "k2", "staff:ada"); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := s.store.Add(t.Context(), good, "k", "staff:ada"); err != nil {
		t.Errorf("one that is there: %v", err)
	}
	s.must(s.store.Remove(t.Context(), e.ID))
	s.must(s.store.Remove(t.Context(), e.ID))
}

func TestATestIsSentToOneOnly(t *testing.T) {
	t.Parallel()
	s, r, other := open(t), receive(t), receive(t)
	e := s.add(r, SoldOut)
	s.add(other)
	id, err := s.store.Probe(t.Context(), e.ID)
	s.must(err)
	s.round(s.sender())
	if len(r.taken) != 1 || r.taken[0].id != id || r.taken[0].Type != Test || r.taken[0].Data["endpoint"] != e.ID || other.n != 0 {
		t.Errorf("taken %v, and %d by the other", r.taken, other.n)
	}
	r.clean(t)
}

func TestSoldOutIsSaidOnce(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r, SoldOut)
	w := &Watcher{Store: s.store, Shows: s.shows, Units: s.units, Every: time.Second, Log: s.log()}
	round := func(want int) {
		t.Helper()
		for range 2 {
			s.must(w.round(t.Context()))
			s.round(s.sender())
		}
		if got := r.kinds(); len(got) != want {
			t.Errorf("told %v, want %d", got, want)
		}
	}
	round(0)
	s.buys(6)
	s.buys(6)
	s.buys(6)
	h := s.hold(2, "s1") // held is not sold
	round(0)
	s.must(s.holds.Release(t.Context(), s.id, h.ID, "s1"))
	o := s.buysAtCounter(2)
	round(1)
	if r.taken[0].Data["performance"] != string(s.id) || r.taken[0].Data["sold"] != float64(20) {
		t.Errorf("told %s", r.taken[0].body)
	}
	s.cancels(o)
	round(1)
	s.buys(2)
	round(2)
	r.clean(t)
}

func TestOldEventsAreForgotten(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	s.add(r)
	s.buys(1)
	s.buys(1)
	s.exec(`update webhook_events set at = now() - interval '31 days' where n = (select min(n) from webhook_events)`)
	s.must(s.store.forget(t.Context()))
	s.count(`select count(*) from webhook_events`, 1)
	s.count(`select count(*) from webhook_deliveries`, 1)
}

// What was overheard is of no use later, and none of it can be changed: a try is signed
// when it is made, however old the event is.
func TestACallIsOfItsMoment(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	e := s.add(r, OrderPaid)
	var tries []http.Header
	r.answer = func(n int, w http.ResponseWriter, r *http.Request) {
		tries = append(tries, r.Header.Clone())
		if n == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	s.buys(1)
	w := s.sender()
	for range 2 {
		s.exec(`update webhook_events set at = now() - interval '20 hours'`)
		s.exec(`update webhook_deliveries set next_at = now()`)
		s.round(w)
	}
	r.clean(t) // the library refuses what is five minutes off
	if len(tries) != 2 || len(r.taken) != 1 || tries[0].Get("webhook-id") != tries[1].Get("webhook-id") {
		t.Fatalf("tries %v, taken %v", tries, r.kinds())
	}
	library, err := standardwebhooks.NewWebhook(r.secrets[0])
	s.must(err)
	body := []byte(r.taken[0].body)
	for name, change := range map[string]func(h http.Header, b []byte) []byte{
		"another id": func(h http.Header, b []byte) []byte { h.Set("webhook-id", uuid.NewString()); return b },
		"a later moment": func(h http.Header, b []byte) []byte {
			h.Set("webhook-timestamp", fmt.Sprint(time.Now().Unix()+60))
			return b
		},
		"another body": func(_ http.Header, b []byte) []byte { return append(b, ' ') },
		"no signature": func(h http.Header, b []byte) []byte { h.Set("webhook-signature", "v1,"); return b },
	} {
		h := tries[1].Clone()
		if library.Verify(change(h, slices.Clone(body)), h) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	late := http.Header{}
	s.must(s.store.keys.sign(late, uuid.NewString(), time.Now().Add(-6*time.Minute), body, e.ID, 1))
	if library.Verify(body, late) == nil || library.VerifyIgnoringTimestamp(body, late) != nil {
		t.Error("what was sent six minutes ago is taken")
	}
}

// What alarms: webhooks that nobody sends, and endpoints that take none.
func TestWhatStandsStillIsMeasured(t *testing.T) {
	t.Parallel()
	s, r := open(t), receive(t)
	e := s.add(r, OrderPaid, OrderCanceled)
	r.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	m.started = m.started.Add(-time.Hour)
	tells := func(name string, want float64) {
		t.Helper()
		families, err := reg.Gather()
		s.must(err)
		for _, f := range families {
			if f.GetName() != "ropeline_webhook_"+name {
				continue
			}
			if got := f.GetMetric()[0].GetGauge().GetValue(); got < want || got > want+30 {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
			return
		}
		t.Errorf("%s is not told", name)
	}
	measured := func(late, failing float64) {
		t.Helper()
		s.must(s.store.measure(t.Context(), m))
		tells("late_seconds", late)
		tells("failing_seconds", failing)
	}
	tells("look_age_seconds", 3600)

	s.cancels(s.buys(1))
	s.exec(`update webhook_deliveries set next_at = now() - interval '10 minutes'`)
	s.round(NewSender(New(s.db, nil, true), time.Second, m, s.log()))
	if r.n != 0 {
		t.Error("it was sent by somebody who cannot sign it")
	}
	tells("look_age_seconds", 0)
	measured(600, 0)

	s.round(NewSender(s.store, time.Second, m, s.log()))
	s.count(`select count(*) from webhook_deliveries where state = 'due'`, 2) // one is tried later, and one waits for it
	measured(0, 0)
	s.exec(`update webhook_endpoints set failing_since = now() - interval '2 hours'`)
	measured(0, 7200)
	_, err := s.store.Change(t.Context(), e.ID, Plan{URL: e.URL, Kinds: e.Kinds, Off: true})
	s.must(err)
	s.exec(`update webhook_deliveries set next_at = now() - interval '10 minutes'`)
	measured(0, 0) // staff know
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.org/a?b=c", "http://example.org", "https://[::1]:1/", "https://a:b@c", "https://10.0.0.1.", "https://%31%30.1", "//x", "https://ex ample", "https://0177.0.0.1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckURL(s, false) != nil {
			return
		}
		if CheckURL(s, true) != nil {
			t.Errorf("%q is let in from outside only", s)
		}
		r, err := http.NewRequest(http.MethodPost, s, nil)
		if err != nil || r.URL.Scheme != "https" || r.URL.Hostname() == "" || r.URL.User != nil || len(s) > 2000 || strings.ContainsAny(s, "\r\n\x00 #") {
			t.Errorf("%q is let in: %v", s, err)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "1", "60", "-1", "999999999999", "1e3", "Wed, 21 Oct 2015 07:28:00 GMT", " 5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s); d < 0 || d > retryMost {
			t.Errorf("%q is %v", s, d)
		}
	})
}
