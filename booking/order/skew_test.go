package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// Cores and workers whose clocks are days off sell as others do: when a hold runs out is
// Redis's clock, when an order was made Postgres's, and who has a unit nobody's. What a
// wrong clock can do is to end the fan's time at the bank too early, which costs nobody
// anything.
func TestCoresWhoseClocksDifferSellOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	off := func(by time.Duration) func() time.Time {
		return func() time.Time { return time.Now().Add(by) }
	}
	clocks := []time.Duration{0, 49 * time.Hour, -49 * time.Hour}
	var desks []*order.Desk
	for _, by := range clocks {
		desks = append(desks, d.deskOn(d.store, d.shows).At(off(by)))
	}
	for i, desk := range desks {
		h := d.hold(uuid.NewString(), 2*i, 2*i+1)
		o, err := desk.Checkout(t.Context(), d.request(h, sandbox.OK))
		if err != nil || o.State != order.Paid || time.Since(o.CreatedAt).Abs() > time.Minute {
			t.Errorf("%v off: %+v, %v", clocks[i], o, err)
		}
	}
	for i := range desks { // Redis has forgotten it, and another core is asked
		d.forgetSold(int64(2 * i))
		h := d.hold(uuid.NewString(), 2*i)
		if _, err := desks[(i+1)%len(desks)].Checkout(t.Context(), d.request(h, sandbox.OK)); !errors.Is(err, hold.ErrUnitsTaken) {
			t.Errorf("sold once more: %v", err)
		}
		if err := d.holds.Release(t.Context(), d.id, h.ID, h.Session); err != nil {
			t.Error(err)
		}
	}
	d.rebuild()
	r := with(d.request(d.hold("s1", 20), sandbox.Action), func(r *order.Request) { r.Return = back })
	if o, err := desks[2].Checkout(t.Context(), r); err != nil || o.Action == "" {
		t.Fatalf("%+v, %v", o, err)
	}
	for _, by := range clocks {
		if _, err := d.settler().At(off(by)).Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := desks[0].Checkout(t.Context(), r); !errors.Is(err, order.ErrFailed) {
		t.Errorf("a worker was two days ahead: %v, want that nothing is charged", err)
	}
	d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where p.state = 'captured' and`, 3)
	d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where p.state in ('authorized', 'needs_action') and`, 0)
	d.here(`from tickets a where state = 'valid' and`, 6)
	d.consistent()
}
