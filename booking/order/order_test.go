package order_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/coupon"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// desk is a booking core without HTTP, on real servers, for one performance
// of 40 seats and 20 places.
type desk struct {
	*order.Desk
	t        *testing.T
	db       *pgxpool.Pool
	rdb      redis.UniversalClient
	id       ropeline.PerformanceID
	sale     ropeline.SaleID
	shows    *catalogue.Store
	stock    *inventory.Store
	holds    *hold.Store
	store    *order.Store
	provider *meddler
	coupons  *coupon.Store
	guard    order.Guard
}

// meddler is the sandbox, with a hand in the calls: a test may look at or
// break one before or after it reached the provider. It counts all of them.
type meddler struct {
	payment.Provider
	db *pgxpool.Pool

	mu     sync.Mutex
	calls  []string
	before func(call string) error
	after  func(call string) error
	held   int32 // connections of the pool that were out during any call
	shy    bool  // it says which card it is once the fan has confirmed, as Stripe does
	slow   bool  // refunds take the bank days: those that are done are pending
	less   int64 // that it says of each payment than was asked for
}

func (m *meddler) call(name string, do func() (payment.Payment, error)) (payment.Payment, error) {
	m.mu.Lock()
	m.calls = append(m.calls, name)
	m.held += m.db.Stat().AcquiredConns()
	before, after := m.before, m.after
	m.mu.Unlock()
	if before != nil {
		if err := before(name); err != nil {
			return payment.Payment{}, err
		}
	}
	p, err := do()
	p.Amount.Amount -= m.less
	if err == nil && after != nil {
		err = after(name)
	}
	return p, err
}

func (m *meddler) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	p, err := m.call("authorize", func() (payment.Payment, error) { return m.Provider.Authorize(ctx, c) })
	if m.shy && p.State == payment.NeedsAction {
		p.Card = ""
	}
	return p, err
}

func (m *meddler) Capture(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return m.call("capture", func() (payment.Payment, error) { return m.Provider.Capture(ctx, c) })
}

func (m *meddler) Void(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return m.call("void", func() (payment.Payment, error) { return m.Provider.Void(ctx, c) })
}

func (m *meddler) Find(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	return m.call("find", func() (payment.Payment, error) { return m.Provider.Find(ctx, c) })
}

func (m *meddler) Refund(ctx context.Context, c payment.Charge, r payment.Refund) (done payment.Refunded, err error) {
	_, err = m.call("refund", func() (payment.Payment, error) {
		var err error
		done, err = m.Provider.Refund(ctx, c, r)
		return payment.Payment{}, err
	})
	return done, err
}

func (m *meddler) Refunds(ctx context.Context, c payment.Charge) ([]payment.Refunded, error) {
	all, err := m.Provider.Refunds(ctx, c)
	for i := range all {
		if m.slow && all[i].State == payment.RefundDone {
			all[i].State = payment.RefundPending
		}
	}
	return all, err
}

func (m *meddler) Disputes(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Dispute, error] {
	return m.Provider.(payment.Books).Disputes(ctx, account, from)
}

func (m *meddler) RefundsByHand(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Refunded, error] {
	return m.Provider.(payment.Books).RefundsByHand(ctx, account, from)
}

func (m *meddler) Since(ctx context.Context, account string, from time.Time) iter.Seq2[payment.Payment, error] {
	return func(yield func(payment.Payment, error) bool) {
		for p, err := range m.Provider.(payment.Books).Since(ctx, account, from) {
			if _, failed := m.call("list", func() (payment.Payment, error) { return p, err }); !yield(p, failed) {
				return
			}
		}
	}
}

func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, db: devtest.Postgres(t), rdb: devtest.Redis(t)}
	d.shows = catalogue.New(d.db, time.Now)
	sale := d.seed()
	d.sale, d.id = sale.ID, sale.Performances[0]
	d.stock, d.holds, d.store = inventory.New(d.rdb), hold.New(d.rdb), order.NewStore(d.db, d.shows)
	d.coupons = coupon.New(d.db, d.rdb, d.holds, make(coupon.Keys, 32))
	d.rebuild()
	d.provider = &meddler{Provider: sandbox.New(d.db), db: d.db}
	d.Desk = d.deskOn(d.store, d.shows)
	return d
}

// another is a desk for another performance, on the same servers.
func (d *desk) another() *desk {
	d.t.Helper()
	e := *d
	sale := e.seed()
	e.sale, e.id = sale.ID, sale.Performances[0]
	e.rebuild()
	e.provider = &meddler{Provider: d.provider.Provider, db: d.db}
	e.Desk = e.deskOn(e.store, e.shows)
	return &e
}

func (d *desk) rebuild() {
	d.t.Helper()
	if _, err := d.stock.Rebuild(d.t.Context(), d.id, d.store); err != nil {
		d.t.Fatal(err)
	}
}

// seed makes a sale with a performance.
func (d *desk) seed() ropeline.Sale {
	d.t.Helper()
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := d.shows.Seed(d.t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{
			ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
			LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
		},
		Venue: "Opera", StartsAt: opens.Add(time.Hour), Seats: 40, General: 20,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return sale
}

func (d *desk) deskOn(store *order.Store, shows *catalogue.Store) *order.Desk {
	return order.NewDesk(order.Config{Store: store, Catalogue: shows, Holds: d.holds, Provider: d.provider, Coupons: d.coupons, Guard: d.guard,
		Key: make([]byte, 32), Random: rand.Reader, Log: d.log()})
}

func (d *desk) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

// settler takes every open attempt at once: no other core runs.
func (d *desk) settler() *order.Settler {
	return order.NewSettler(d.store, d.holds, d.provider, 0, time.Second, d.log())
}

func (d *desk) hold(session string, units ...int) hold.Hold {
	d.t.Helper()
	h, err := d.holds.Units(d.t.Context(), d.wish(session), units)
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

func (d *desk) wish(session string) hold.Request {
	return hold.Request{ID: uuid.NewString(), Performance: d.id, Sale: d.sale,
		Session: session, SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute, Extensions: 1}
}

// floor are the places without a seat.
func (d *desk) floor() catalogue.Range { return catalogue.Range{First: 40, Count: 20} }

func (d *desk) request(h hold.Hold, method string) order.Request {
	return order.Request{Sale: d.sale, Place: "place", Session: h.Session, Key: uuid.NewString(), Hold: h.ID,
		Email: "fan@example.org", Method: method}
}

// state describes everything on disk in one line, so that a test reads like
// the story it checks.
func (d *desk) state() string {
	d.t.Helper()
	var line string
	for _, q := range []struct{ name, query string }{
		{"attempts", `select coalesce(string_agg(state, ',' order by created_at), '-') from attempts where performance_id = $1`},
		{"orders", `select coalesce(string_agg(state, ',' order by created_at), '-') from orders where performance_id = $1`},
		{"tickets", `select coalesce(string_agg(unit || ':' || state, ',' order by unit, created_at), '-') from tickets where performance_id = $1`},
		{"payments", `select coalesce(string_agg(state, ',' order by created_at), '-') from sandbox_payments
			where attempt_id in (select id from attempts where performance_id = $1)`},
		{"ledger", `select coalesce(string_agg(entry, ',' order by id), '-') from order_ledger where performance_id = $1`},
	} {
		var value string
		if err := d.db.QueryRow(d.t.Context(), q.query, d.id).Scan(&value); err != nil {
			d.t.Fatal(err)
		}
		line += q.name + " " + value + "; "
	}
	snap, err := d.stock.Snapshot(d.t.Context(), d.id)
	if err != nil {
		d.t.Fatal(err)
	}
	line += fmt.Sprintf("redis sold %d", snap.Sold.Count(0, 60))
	for _, h := range snap.Holds {
		line += " " + h.State
	}
	return line
}

func (d *desk) want(what string) {
	d.t.Helper()
	if got := d.state(); got != what {
		d.t.Errorf("on disk:\n got %s\nwant %s", got, what)
	}
}

// consistent checks that Redis and Postgres agree, and the orders with their ledger.
func (d *desk) consistent() {
	d.t.Helper()
	bad, _, err := d.store.Audit(d.t.Context(), d.id)
	if err != nil || len(bad) > 0 {
		d.t.Errorf("ledger: %v, %v", bad, err)
	}
	report, err := d.stock.Check(d.t.Context(), d.id, d.store)
	if err != nil || !report.OK() {
		d.t.Errorf("inventory: %+v, %v", report, err)
	}
}

const sold = "attempts done; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,authorized,captured; redis sold 2"

func TestCheckoutSellsAHold(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	o, err := d.Checkout(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if o.State != order.Paid || o.Total.Amount != 2*7500 || o.Email != r.Email || len(o.Tickets) != 2 {
		t.Errorf("order %+v", o)
	}
	for _, k := range o.Tickets {
		if k.State != ticket.Valid || len(k.Code) != 32 || k.Label == "" {
			t.Errorf("ticket %+v", k)
		}
	}
	d.want(sold)
	d.consistent()

	// The same request again, however often, is the same order.
	again, err := d.Checkout(t.Context(), r)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(o) {
		t.Errorf("repeated: %+v, %v\nwant %+v", again, err, o)
	}
	d.want(sold)
	if d.provider.held != 0 {
		t.Errorf("%d pooled connections were held during calls of the provider", d.provider.held)
	}
	if got := d.provider.calls; !slices.Equal(got, []string{"authorize", "capture"}) {
		t.Errorf("provider was called %v", got)
	}
}

func TestBadRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	good := d.request(h, sandbox.OK)
	before := d.state()
	for name, c := range map[string]struct {
		change func(*order.Request)
		want   error
	}{
		"no key":            {func(r *order.Request) { r.Key = "" }, order.ErrKeyMissing},
		"long key":          {func(r *order.Request) { r.Key = string(make([]byte, 200)) }, order.ErrKeyMissing},
		"another's hold":    {func(r *order.Request) { r.Session = "s2" }, hold.ErrUnknown},
		"no such hold":      {func(r *order.Request) { r.Hold = uuid.NewString() }, hold.ErrUnknown},
		"hold is no id":     {func(r *order.Request) { r.Hold = "*" }, hold.ErrUnknown},
		"foreign sale":      {func(r *order.Request) { r.Sale = "other" }, hold.ErrUnknown},
		"no e-mail":         {func(r *order.Request) { r.Email = "" }, order.ErrEmail},
		"e-mail with name":  {func(r *order.Request) { r.Email = "A <a@b.c>" }, order.ErrEmail},
		"e-mail with break": {func(r *order.Request) { r.Email = "a@b.c\r\nBcc: x@y.z" }, order.ErrEmail},
		"e-mail of NUL":     {func(r *order.Request) { r.Email = "a\x00@b.c" }, order.ErrEmail},
		"no domain":         {func(r *order.Request) { r.Email = "root@localhost" }, order.ErrEmail},
		"method of SQL":     {func(r *order.Request) { r.Method = "'; drop table orders; --" }, order.ErrMethod},
	} {
		if _, err := d.Checkout(t.Context(), with(good, c.change)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("something changed:\nfrom %s\nto   %s", before, after)
	}
	if len(d.provider.calls) > 0 {
		t.Errorf("the provider was called: %v", d.provider.calls)
	}
}

// The price has changed since the fan saw it: nobody is asked for money that the fan
// did not agree to, and with the new price the same key works.
func TestAnotherPriceIsNotCharged(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	r := d.request(h, sandbox.OK)
	r.Total = booking.Money{Amount: 2 * 7500, Currency: "EUR"}
	if _, err := d.db.Exec(t.Context(), `update tiers set amount = 8000 where performance_id = $1 and amount = 7500`, d.id); err != nil {
		t.Fatal(err)
	}
	desk := d.deskOn(d.store, catalogue.New(d.db, time.Now))
	if _, err := desk.Checkout(t.Context(), r); !errors.Is(err, order.ErrPrice) || len(d.provider.calls) != 0 {
		t.Errorf("at another price: %v, and the provider was called: %v", err, d.provider.calls)
	}
	d.want("attempts -; orders -; tickets -; payments -; ledger -; redis sold 0 held")
	r.Total.Amount = 2 * 8000
	if o, err := desk.Checkout(t.Context(), r); err != nil || o.Total != r.Total {
		t.Errorf("at the new one: %+v, %v", o, err)
	}
}

// The card is declined: the hold stays, the same key gets the same answer, a
// new one may pay.
func TestDeclinedCardKeepsTheHold(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	declined := d.request(h, sandbox.Declined)
	for range 2 {
		if _, err := d.Checkout(t.Context(), declined); !errors.Is(err, order.ErrDeclined) {
			t.Fatalf("declined card: %v", err)
		}
	}
	d.want("attempts closed; orders -; tickets -; payments declined; ledger -; redis sold 0 held")
	if _, err := d.Checkout(t.Context(), d.request(h, "sandbox_nonsense")); !errors.Is(err, order.ErrMethod) {
		t.Fatalf("unknown method: %v", err)
	}
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Fatalf("another card: %v", err)
	}
	d.want("attempts closed,closed,done; orders paid; tickets 3:valid,4:valid; payments declined,captured; ledger placed,authorized,captured; redis sold 2")
}

// The hold ran out before the payment began: the provider is not called.
func TestExpiredHoldIsNotPaid(t *testing.T) {
	t.Parallel()
	d := open(t)
	h, err := d.holds.Units(t.Context(), hold.Request{ID: uuid.NewString(), Performance: d.id, Sale: d.sale,
		Session: "s1", SessionEnds: time.Now().Add(time.Hour), Life: time.Millisecond}, []int{3, 4})
	if err != nil {
		t.Fatal(err)
	}
	for h.State == hold.Held {
		if h, err = d.holds.Get(t.Context(), d.id, h.ID, "s1"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, hold.ErrExpired) {
			t.Fatalf("an expired hold: %v", err)
		}
		if _, err := d.holds.Sweep(t.Context(), d.id, 10); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.provider.calls) > 0 {
		t.Errorf("the provider was called: %v", d.provider.calls)
	}
	d.want("attempts -; orders -; tickets -; payments -; ledger -; redis sold 0")
}

// The hold would have run out during a slow payment: it does not, and while
// the payment runs the same key and another one are told so.
func TestHoldDoesNotRunOutDuringPayment(t *testing.T) {
	t.Parallel()
	d := open(t)
	now := time.Now()
	d.holds = hold.NewAt(d.rdb, func() time.Time { return now })
	d.Desk = d.deskOn(d.store, d.shows)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	d.provider.before = func(call string) error {
		if call != "authorize" {
			return nil
		}
		now = now.Add(20 * time.Minute) // past the hold's deadline and past the payment's
		if n, err := d.holds.Sweep(t.Context(), d.id, 10); n != 0 || err != nil {
			t.Errorf("the sweeper took %d paying holds, %v", n, err)
		}
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, hold.ErrPaying) {
			t.Errorf("the same key while it runs: %v, want payment-running", err)
		}
		if _, err := d.Checkout(t.Context(), with(r, func(r *order.Request) { r.Key = "new" })); !errors.Is(err, hold.ErrPaying) {
			t.Errorf("another key while it runs: %v, want payment-running", err)
		}
		if err := d.holds.Release(t.Context(), d.id, r.Hold, "s1"); !errors.Is(err, hold.ErrPaying) {
			t.Errorf("release while it runs: %v, want payment-running", err)
		}
		return nil
	}
	if _, err := d.Checkout(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	d.want(sold)
}

// The answer of the provider is lost: it is asked what happened.
func TestLostAnswersOfTheProvider(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.Lost)); err != nil {
		t.Fatalf("authorized, answer lost: %v", err)
	}
	d.want(sold)

	h := d.hold("s2", 7)
	broken := d.request(h, sandbox.Error)
	if _, err := d.Checkout(t.Context(), broken); !errors.Is(err, order.ErrUnavailable) {
		t.Fatalf("provider broken: %v, want payment-unavailable", err)
	}
	// "Try again later" is not stored: the attempt is over, later comes nothing.
	for range 2 {
		if _, err := d.Checkout(t.Context(), broken); !errors.Is(err, order.ErrFailed) {
			t.Fatalf("the same key again: %v, want payment-failed", err)
		}
		d.settleAll()
	}
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Fatalf("the fan tries again: %v", err)
	}
}

// The capture fails: the order is there and pending, its tickets cannot be
// used, and the settler captures later.
func TestFailedCaptureLeavesAPendingOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.provider.before = func(call string) error {
		if call == "capture" {
			return errors.New("the provider is on fire")
		}
		return nil
	}
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	o, err := d.Checkout(t.Context(), r)
	if err != nil || o.State != order.Pending || o.Tickets[0].State != ticket.Unpaid {
		t.Fatalf("order %+v, %v; want a pending one", o, err)
	}
	d.want("attempts recorded; orders pending; tickets 3:unpaid,4:unpaid; payments authorized; ledger placed,authorized; redis sold 0 paying")
	d.provider.before = nil
	d.settle(1)
	d.want(sold)
	if again, err := d.Checkout(t.Context(), r); err != nil || again.State != order.Paid || again.ID != o.ID {
		t.Errorf("the same key later: %+v, %v", again, err)
	}
}

// The provider has let the money go before it was captured: no money, no
// tickets, and the units can be sold again.
func TestImpossibleCaptureCancelsTheOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.provider.before = func(call string) error {
		if call == "capture" {
			_, err := d.db.Exec(t.Context(), `update sandbox_payments set state = 'voided'`)
			return err
		}
		return nil
	}
	h := d.hold("s1", 3, 4)
	r := d.request(h, sandbox.OK)
	for range 2 {
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrDeclined) {
			t.Fatalf("capture impossible: %v, want payment-declined", err)
		}
	}
	d.want("attempts closed; orders canceled; tickets 3:canceled,4:canceled; payments voided; ledger placed,authorized,canceled; redis sold 0 held")
	d.provider.before = nil
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
		t.Fatalf("the hold's units are sold again: %v", err)
	}
	d.consistent()
}

func (d *desk) settle(want int) {
	d.t.Helper()
	if n, err := d.settler().Settle(d.t.Context()); n != want || err != nil {
		d.t.Fatalf("settled %d attempts, %v; want %d", n, err, want)
	}
}

func with(r order.Request, change func(*order.Request)) order.Request {
	change(&r)
	return r
}
