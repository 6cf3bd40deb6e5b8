package order_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// pay marks a hold as paying, as a command that comes through late does.
func (d *desk) pay(h hold.Hold, attempt string) {
	d.t.Helper()
	if _, err := d.holds.Pay(d.t.Context(), d.id, h.ID, h.Session, attempt); err != nil {
		d.t.Fatal(err)
	}
}

// attempt is the id of the first attempt there is.
func (d *desk) attempt() (id string) {
	d.t.Helper()
	if err := d.db.QueryRow(d.t.Context(), `select id from attempts where performance_id = $1 order by id`, d.id).Scan(&id); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// stray checks that the report shows these units as paid for by nobody, ends
// the strays and checks that it shows nothing any more.
func (d *desk) stray(units ...int) {
	d.t.Helper()
	report, err := d.stock.Check(d.t.Context(), d.id, d.store)
	if err != nil {
		d.t.Fatal(err)
	}
	shown := map[int]bool{}
	for _, m := range report.Mismatches {
		if m.Kind == inventory.PayingForNobody {
			for _, u := range m.Units {
				shown[u] = true
			}
		}
	}
	if len(shown) != len(units) || !shown[units[0]] {
		d.t.Errorf("inventory: %+v, want units %v in %s", report, units, inventory.PayingForNobody)
	}
	if err := d.EndStrays(d.t.Context(), d.id); err != nil {
		d.t.Fatal(err)
	}
	d.consistent()
}

// The command that marks the hold as paying was given up as lost and came
// through after all, when its attempt was closed: the fan has the hold back.
func TestLatePayOfAClosedAttemptDoesNotKeepTheHold(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	if _, err := d.Checkout(t.Context(), d.request(h, sandbox.Declined)); !errors.Is(err, order.ErrDeclined) {
		t.Fatal(err)
	}
	d.pay(h, d.attempt())
	d.want(refused + " paying")
	d.stray(3, 4)
	d.want(refused + " held")
}

// The attempt was never written, or its row was lost with a restored Postgres.
func TestPayingHoldWithoutAnAttemptIsGivenBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.pay(d.hold("s1", 3, 4), uuid.NewString())
	d.stray(3, 4)
	d.want("attempts -; orders -; tickets -; payments -; ledger -; redis sold 0 held")
}

// Redis came back without its last second: it has forgotten that the hold was
// sold, while the attempt is done.
func TestForgottenSaleIsMarkedAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.crash(d.request(d.hold("s1", 3, 4), sandbox.OK), "before script 2")
	if _, err := d.db.Exec(t.Context(), `update attempts set state = 'done'`); err != nil {
		t.Fatal(err)
	}
	d.stray(3, 4)
	d.want(sold)
}

// A payment under way keeps its hold, however often anybody looks.
func TestOpenAttemptIsNoStray(t *testing.T) {
	t.Parallel()
	d := open(t)
	looked := 0
	d.provider.before = func(call string) error {
		looked++
		if err := d.EndStrays(t.Context(), d.id); err != nil {
			t.Error(err)
		}
		d.consistent()
		return nil
	}
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	if looked != 2 {
		t.Errorf("looked %d times, want before authorize and before capture", looked)
	}
	d.want(sold)
}

// earlier answers with what was read some time ago.
type earlier inventory.Recorded

func (e earlier) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded(e), nil
}

// A core rebuilds an emptied Redis from a read taken before the attempt
// closed: the restored hold ends with the same rebuild.
func TestRebuildFromAnEarlierReadLeavesNoStray(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.crash(d.request(d.hold("s1", 3, 4), sandbox.OK), "after authorize")
	before, err := d.store.Recorded(t.Context(), d.id)
	if err != nil || len(before.Open) != 1 {
		t.Fatalf("open attempts %+v, %v", before.Open, err)
	}
	d.settle(1)
	d.loseRedis()
	keeper := inventory.Keeper{Store: d.stock, Records: earlier(before), EndStrays: d.EndStrays, Log: d.log(),
		Performances: func(context.Context) ([]ropeline.PerformanceID, error) { return []ropeline.PerformanceID{d.id}, nil }}
	if err := keeper.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.want(released)
	d.consistent()
}

// A connection broke when an attempt was started: its request gave up, its hold ran out, and somebody
// else holds the units and pays for them. Then Redis loses everything. The units used to go to
// the attempt that nobody is at, if Postgres named it first, and stayed in its hold after they
// were sold, until a settler closed it.
func TestALostHoldComesBackToWhoseOrderItIs(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	started, err := d.store.Start(t.Context(), order.Attempt{ID: uuid.NewString(), Performance: d.id, Hold: h.ID, Sale: d.sale, Session: h.Session,
		Key: uuid.NewString(), MAC: []byte("mac"), Units: h.Units, Amount: booking.Money{Amount: 15000, Currency: "EUR"}, Method: sandbox.OK})
	if err != nil || !started {
		t.Fatal(started, err)
	}
	d.must(d.holds.Release(t.Context(), d.id, h.ID, h.Session))
	r := with(d.request(d.hold("s2", 3, 4), sandbox.Action), func(r *order.Request) { r.Return = back })
	if _, err := d.Checkout(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	d.loseRedis()
	d.rebuild()
	d.consistent()
	var acting string
	d.must(d.db.QueryRow(t.Context(), `select id from attempts where state = 'acting'`).Scan(&acting))
	d.must(d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: acting}, true))
	if o, err := d.Checkout(t.Context(), r); err != nil || o.State != order.Paid {
		t.Fatalf("%+v, %v", o, err)
	}
	d.consistent()
}
