package order_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
)

const (
	back   = "https://shop.example.org/sales/demo/shop"
	acting = "attempts acting; orders pending; tickets 3:unpaid,4:unpaid; payments needs_action; ledger placed; redis sold 0 paying"
	undone = "attempts closed; orders canceled; tickets 3:canceled,4:canceled; payments %; ledger placed,canceled; redis sold 0 held"
)

// act pays with a card whose fan has to confirm, and checks how it stands then.
func (d *desk) act() (order.Request, order.Order) {
	d.t.Helper()
	r := with(d.request(d.hold("s1", 3, 4), sandbox.Action), func(r *order.Request) { r.Return = back })
	o, err := d.Checkout(d.t.Context(), r)
	if err != nil || o.State != order.Pending || o.Action != "https://shop.example.org"+sandbox.PagePath+d.attempt() {
		d.t.Fatalf("order %+v, %v; want a pending one and where to confirm", o, err)
	}
	d.want(acting)
	return r, o
}

// confirm is what the fan says at the bank.
func (d *desk) confirm(yes bool) {
	d.t.Helper()
	if err := d.sandbox().Confirm(d.t.Context(), payment.Charge{Attempt: d.attempt()}, yes); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) sandbox() *sandbox.Provider {
	p, ok := d.provider.Provider.(*sandbox.Provider)
	if !ok {
		d.t.Fatal("the provider is no sandbox")
	}
	return p
}

// event tells of the newest payment as a webhook would.
func (d *desk) event(state payment.State) payment.Event {
	return payment.Event{ID: "evt_" + uuid.NewString(), About: payment.AboutPayment, Attempt: d.attempt(), State: state, At: time.Now().UTC()}
}

func (d *desk) hear(e payment.Event, want order.Heard) order.Attempt {
	d.t.Helper()
	a, heard, err := d.Hear(d.t.Context(), e)
	if err != nil || heard != want {
		d.t.Errorf("heard %+v: %s, %v; want %s", e, heard, err, want)
	}
	return a
}

// free checks that no connection was held while the provider was called.
func (d *desk) free() {
	d.t.Helper()
	if d.provider.held != 0 {
		d.t.Errorf("%d pooled connections were held during calls of the provider: %v", d.provider.held, d.provider.calls)
	}
}

func TestActionGoesOnWhenTheFanIsBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, o := d.act()
	again, err := d.Checkout(t.Context(), r)
	if err != nil || again.ID != o.ID || again.Action != o.Action {
		t.Errorf("back without an answer: %+v, %v; want the same", again, err)
	}
	d.want(acting)
	d.consistent()
	d.confirm(true)
	for range 2 {
		if paid, err := d.Checkout(t.Context(), r); err != nil || paid.ID != o.ID || paid.State != order.Paid || paid.Action != "" {
			t.Errorf("back: %+v, %v; want the order, paid", paid, err)
		}
	}
	d.want(sold)
	for _, state := range []payment.State{payment.NeedsAction, payment.Authorized, payment.Captured, payment.Voided, ""} {
		d.hear(d.event(state), order.HeardNow) // late, and out of order
	}
	d.want(sold)
	d.consistent()
	d.free()
}

func TestActionGoesOnByWebhook(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, o := d.act()
	d.hear(d.event(payment.NeedsAction), order.HeardNow)
	d.hear(d.event(payment.Authorized), order.HeardNow) // says so, but is not so
	d.want(acting)
	d.confirm(true)
	e := d.event(payment.Authorized)
	if a := d.hear(e, order.HeardNow); a.Step != order.Captured {
		t.Errorf("after the webhook it is %s", a.Step)
	}
	d.want(sold)
	calls := len(d.provider.calls)
	for range 3 {
		d.hear(e, order.HeardAgain)
	}
	if len(d.provider.calls) != calls {
		t.Errorf("a repeated webhook asked the provider: %v", d.provider.calls[calls:])
	}
	if paid, err := d.Checkout(t.Context(), r); err != nil || paid.ID != o.ID || paid.State != order.Paid {
		t.Errorf("back: %+v, %v; want the order, paid", paid, err)
	}
	d.count(`select count(*) from payment_events`, 3)
	d.want(sold)
	d.free()
}

// Fan, webhooks and a settler come at once: one sale, and no step twice.
func TestActionGoesOnOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, o := d.act()
	d.confirm(true)
	e := d.event(payment.Authorized)
	var g errgroup.Group
	for i := range 12 {
		g.Go(func() error {
			switch i % 4 {
			case 0:
				_, err := d.settler().Settle(t.Context())
				return err
			case 1:
				got, err := d.Checkout(t.Context(), r)
				if err == nil && got.ID != o.ID {
					err = errors.New("another order: " + got.ID)
				}
				return err
			case 2:
				_, _, err := d.Hear(t.Context(), e)
				return err
			}
			_, _, err := d.Hear(t.Context(), payment.Event{ID: "evt_" + uuid.NewString(), About: payment.AboutPayment, Attempt: e.Attempt, At: e.At})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.settleAll()
	d.want(sold)
	d.count(`select count(*) from payment_events`, 4)
}

// The bank says no: the hold is the fan's for the grace, and another card buys it.
func TestActionRefused(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, byWebhook := range []bool{true, false} {
		d := first.another()
		r, o := d.act()
		d.confirm(false)
		if byWebhook {
			d.hear(d.event(payment.Declined), order.HeardNow)
		}
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrDeclined) {
			t.Errorf("back: %v, want payment-declined", err)
		}
		d.want(strings.Replace(undone, "%", "declined", 1))
		if old, err := d.store.Order(t.Context(), o.ID); err != nil || old.State != order.Canceled {
			t.Errorf("the order is %+v, %v", old, err)
		}
		d.consistent()
		d.free()
		r.Key, r.Method = "another", sandbox.OK
		if paid, err := d.Checkout(t.Context(), r); err != nil || paid.State != order.Paid || paid.ID == o.ID {
			t.Errorf("another card: %+v, %v", paid, err)
		}
		d.here(`from orders a where state = 'paid' and`, 1)
		d.consistent()
	}
}

// The fan does not confirm: a settler leaves it alone for as long as a fan may
// take, and lets it go then.
func TestActionRunsOut(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, _ := d.act()
	d.settle(1)
	d.want(acting)
	late := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) })
	if _, err := late.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.want(strings.Replace(undone, "%", "voided", 1))
	if err := d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: d.attempt()}, true); err == nil {
		t.Error("it was confirmed after that")
	}
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrFailed) {
		t.Errorf("back: %v, want payment-failed", err)
	}
	d.consistent()
	d.free()
}

// A settler finds what no webhook told of, though not at once.
func TestActionWithoutWebhookOrReturn(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.act()
	d.confirm(true)
	patient := order.NewSettler(d.store, d.holds, d.provider, time.Minute, time.Second, d.log())
	for age, want := range []int{0, 0, 0, 0, 1} {
		if _, err := d.db.Exec(t.Context(), `update attempts set updated_at = now() - make_interval(mins => $1)`, age); err != nil {
			t.Fatal(err)
		}
		if n, err := patient.Settle(t.Context()); n != want || err != nil {
			t.Errorf("after %d minutes %d were taken, %v; want %d", age, n, err, want)
		}
	}
	d.want(sold)
}

// The fan comes back without having confirmed and pays with another card.
func TestAnotherCardInsteadOfTheAction(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, first := d.act()
	o, err := d.Checkout(t.Context(), with(r, func(r *order.Request) { r.Key, r.Method = "another", sandbox.OK }))
	if err != nil || o.State != order.Paid || o.ID == first.ID {
		t.Fatalf("%+v, %v", o, err)
	}
	d.want("attempts closed,done; orders canceled,paid; tickets 3:canceled,3:valid,4:canceled,4:valid; payments voided,captured; ledger placed,canceled,placed,authorized,captured; redis sold 2")
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrFailed) {
		t.Errorf("the first key: %v, want payment-failed", err)
	}
	d.consistent()
	d.free()
}

// Redis is lost while the fan is at the bank: the units are still the fan's.
func TestActionOutlivesRedis(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, _ := d.act()
	d.loseRedis()
	d.rebuild()
	if err := d.EndStrays(t.Context(), d.id); err != nil {
		t.Fatal(err)
	}
	d.want(acting)
	d.consistent()
	d.confirm(true)
	if o, err := d.Checkout(t.Context(), r); err != nil || o.State != order.Paid {
		t.Errorf("%+v, %v", o, err)
	}
	d.want(sold)
	d.consistent()
}

// Where nobody can be sent to the bank, what has to be confirmed is declined.
func TestActionWithoutReturn(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := d.request(d.hold("s1", 3, 4), sandbox.Action)
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrDeclined) {
		t.Errorf("%v, want payment-declined", err)
	}
	for _, bad := range []string{"/shop", "javascript:alert(1)", "https://", "https://u:p@shop.example.org/", "https://shop.example.org/#x", "ftp://shop.example.org",
		"https://shop.example.org/" + strings.Repeat("x", 1000), "https://shop.example.org/%zz", "\x00"} {
		if _, err := d.Checkout(t.Context(), with(r, func(r *order.Request) { r.Key, r.Return = "other", bad })); !errors.Is(err, order.ErrReturn) {
			t.Errorf("%q: %v, want return-url-invalid", bad, err)
		}
	}
	if _, err := d.Checkout(t.Context(), with(r, func(r *order.Request) { r.Return = back })); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("the key again with another way back: %v", err)
	}
}

// A provider that reserves another amount than it was asked for, at once or by what the
// fan has confirmed: nothing is sold for it, and it is let go.
func TestAnotherAmountThanWasAskedForIsLetGo(t *testing.T) {
	t.Parallel()
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		d := open(t)
		d.provider.less = 1
		if o, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); !errors.Is(err, order.ErrDeclined) {
			t.Errorf("%+v, %v, want payment-declined", o, err)
		}
		d.want("attempts closed; orders -; tickets -; payments voided; ledger -; redis sold 0 held")
		d.consistent()
	})
	t.Run("confirmed", func(t *testing.T) {
		t.Parallel()
		d := open(t)
		r, _ := d.act()
		d.provider.less = 1
		d.confirm(true)
		if o, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrDeclined) {
			t.Errorf("%+v, %v, want payment-declined", o, err)
		}
		d.want(strings.Replace(undone, "%", "voided", 1))
		d.consistent()
	})
}

// With Stripe, told by Stripe's webhook: the same.
func TestActionWithStripe(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	r := with(d.request(d.hold("s1", 3, 4), stripetest.Action), func(r *order.Request) { r.Return = back })
	o, err := d.Checkout(t.Context(), r)
	if err != nil || o.Action == "" {
		t.Fatalf("%+v, %v", o, err)
	}
	page, err := url.Parse(o.Action)
	if err != nil {
		t.Fatal(err)
	}
	if err := fake.Confirm(page.Path[strings.LastIndexByte(page.Path, '/')+1:], true); err != nil {
		t.Fatal(err)
	}
	if err := fake.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.want(soldByStripe)
	d.paid(fake, 0, price)
	if paid, err := d.Checkout(t.Context(), r); err != nil || paid.ID != o.ID || paid.State != order.Paid {
		t.Errorf("back: %+v, %v", paid, err)
	}
}

// laggard lets time pass while tickets are drawn up.
type laggard func()

func (l laggard) Read(b []byte) (int, error) {
	l()
	return rand.Read(b)
}

// The hold runs out between its first look and the payment: the provider is not
// called, not even to ask.
func TestHoldThatRanOutIsNotPaidFor(t *testing.T) {
	t.Parallel()
	d := open(t)
	now := time.Now()
	d.holds = hold.NewAt(d.rdb, func() time.Time { return now })
	d.Desk = order.NewDesk(order.Config{Store: d.store, Catalogue: d.shows, Holds: d.holds, Provider: d.provider,
		Key: make([]byte, 32), Random: laggard(func() { now = now.Add(11 * time.Minute) }), Log: d.log()})
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	for range 2 {
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, hold.ErrExpired) {
			t.Fatalf("%v, want hold-expired", err)
		}
	}
	d.settle(0)
	d.want(untouched)
	if len(d.provider.calls) != 0 {
		t.Errorf("the provider was called: %v", d.provider.calls)
	}
	d.consistent()
}

// A sale says for how long its holds outlive a failed payment.
func TestGraceOfTheSale(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.db.Exec(t.Context(), `update sales set document = document || '{"payment_grace": 300}'`); err != nil {
		t.Fatal(err)
	}
	d.shows = catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, d.shows)
	now := time.Now().Truncate(time.Millisecond)
	d.holds = hold.NewAt(d.rdb, func() time.Time { return now })
	d.Desk = d.deskOn(d.store, d.shows)
	h := d.hold("s1", 3, 4)
	now = now.Add(9 * time.Minute) // one is left
	for i, want := range []time.Duration{5 * time.Minute, 5 * time.Minute} {
		if _, err := d.Checkout(t.Context(), d.request(h, sandbox.Declined)); !errors.Is(err, order.ErrDeclined) {
			t.Fatal(err)
		}
		left, err := d.holds.Get(t.Context(), d.id, h.ID, "s1")
		if err != nil || !left.Expires.Equal(now.Add(want)) {
			t.Errorf("after failure %d: %v left, %v; want %v", i+1, left.Expires.Sub(now), err, want)
		}
	}
	if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.State != order.Paid {
		t.Errorf("in the grace: %+v, %v", o, err)
	}
}

// The process dies wherever it is when the fan is back, or the webhook comes: the
// settler goes on, and neither asking again nor the event sent again does more.
func TestCrashWhenAnActionIsDone(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, at := range []string{"before find", "after find", "before capture", "after capture", "before script 1", "after script 1"} {
		for _, byWebhook := range []bool{false, true} {
			t.Run(fmt.Sprint(at, ", by webhook ", byWebhook), func(t *testing.T) {
				d := first.another()
				r, o := d.act()
				d.confirm(true)
				e := d.event(payment.Authorized)
				d.dies(at, func() {
					if byWebhook {
						_, _, _ = d.Hear(t.Context(), e)
					} else {
						_, _ = d.Checkout(t.Context(), r)
					}
				})
				d.settleAll()
				d.want(sold)
				if _, _, err := d.Hear(t.Context(), e); err != nil {
					t.Error(err)
				}
				if again, err := d.Checkout(t.Context(), r); err != nil || again.ID != o.ID || again.State != order.Paid {
					t.Errorf("asked again: %+v, %v", again, err)
				}
				d.want(sold)
				d.consistent()
			})
		}
	}
}
