package order_test

import (
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// canceled has the performance canceled, as the guide does it.
func (d *desk) canceled() {
	d.t.Helper()
	if _, err := d.db.Exec(d.t.Context(), `update performances set state = 'canceled' where id = $1`, d.id); err != nil {
		d.t.Fatal(err)
	}
}

// bulk has two processes go through what is due now.
func (d *desk) bulk() {
	d.t.Helper()
	if _, err := d.db.Exec(d.t.Context(), `update bulk_refunds set due_at = now()`); err != nil {
		d.t.Fatal(err)
	}
	var g errgroup.Group
	for range 2 {
		g.Go(func() error {
			_, err := d.BulkRound(d.t.Context())
			return err
		})
	}
	if err := g.Wait(); err != nil {
		d.t.Fatal(err)
	}
}

// Everybody has all of their money back, once, whatever the rules would have kept. What
// cannot go back from here is told, and what is paid for later goes back, too.
func TestEverybodyIsRefundedForWhatIsCanceled(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	one, part := d.buys("s1", 1, 2), d.buys("s2", 3, 4)
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: part.ID, Tickets: []string{part.Tickets[0].ID}, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	counter, err := d.Sell(t.Context(), d.atCounter(d.counterHold(7), order.Cash))
	if err != nil {
		t.Fatal(err)
	}
	late := true
	d.provider.before = func(call string) error {
		if call == "capture" && late {
			return errors.New("not now")
		}
		return nil
	}
	pending, err := d.Checkout(t.Context(), d.request(d.hold("s3", 9), sandbox.OK))
	if err != nil || pending.State != order.Pending {
		t.Fatalf("%+v, %v", pending, err)
	}
	if _, err := d.RefundAll(t.Context(), d.id, order.Staff("olga"), "the roof leaks"); !errors.Is(err, order.ErrNotCanceled) {
		t.Errorf("while it is on: %v", err)
	}
	if _, err := d.BulkRefund(t.Context(), d.id); !errors.Is(err, order.ErrNoBulk) {
		t.Errorf("nobody has asked: %v", err)
	}
	d.canceled()
	for _, reason := range []string{"the roof leaks", "another"} { // the first one stays
		b, err := d.RefundAll(t.Context(), d.id, order.Staff("olga"), reason)
		if err != nil || b.Who != "staff:olga" || b.Reason != "the roof leaks" || b.Left != 4 || b.Canceled != 0 || len(b.Refused) != 0 {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	d.bulk()
	d.refunds()
	b, err := d.BulkRefund(t.Context(), d.id)
	if err != nil || b.Left != 1 || b.Canceled != 2 || b.Refunded != 2 || b.Refunding != 0 || b.Failed != 0 ||
		len(b.Refused) != 1 || b.Refused[0].Order != counter.ID || b.Refused[0].Code != order.ErrAtCounter.Code {
		t.Errorf("%+v, %v", b, err)
	}
	for _, o := range []order.Order{one, part} {
		if now, err := d.store.Order(t.Context(), o.ID); err != nil || now.State != order.Canceled {
			t.Errorf("%+v, %v", now, err)
		}
	}
	// Of the one ticket that its buyer had canceled before, what the rules kept stays kept.
	d.count(`select sum(refunded)::int from sandbox_payments`, 15000+6559+7500)
	d.count(`select count(*) from order_ledger where entry = 'canceled' and who = 'staff:olga'`, 3)

	// What was refused is not tried all the time.
	d.bulk()
	if again, err := d.BulkRefund(t.Context(), d.id); err != nil || !again.Refused[0].At.Equal(b.Refused[0].At) {
		t.Errorf("%+v, %v; it was %+v", again, err, b)
	}

	late = false
	d.settleAll()
	d.bulk()
	d.refunds()
	if b, err = d.BulkRefund(t.Context(), d.id); err != nil || b.Left != 0 || b.Canceled != 3 || len(b.Refused) != 1 {
		t.Errorf("in the end: %+v, %v", b, err)
	}
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: counter.ID, Who: order.Staff("rosa"), Reason: "handed back", Full: true, Tender: order.Cash}); err != nil {
		t.Fatal(err)
	}
	if b, err = d.BulkRefund(t.Context(), d.id); err != nil || len(b.Refused) != 0 {
		t.Errorf("after the counter has handed it back: %+v, %v", b, err)
	}
	d.audited()
}

// There may be more orders than are taken at once, and a provider that is away holds up
// the money, not what is written.
func TestABulkRefundGoesOn(t *testing.T) {
	t.Parallel()
	d := open(t)
	const orders = 60
	for unit := range orders {
		d.buys(string(rune('A'+unit)), unit)
	}
	d.canceled()
	d.provider.before = func(call string) error {
		if call == "refund" {
			return errors.New("not now")
		}
		return nil
	}
	if _, err := d.RefundAll(t.Context(), d.id, order.Staff("olga"), "rain"); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int{10, 0} {
		if more, err := d.BulkRound(t.Context()); err != nil || !more {
			t.Fatalf("%v, %v", more, err)
		}
		if b, err := d.BulkRefund(t.Context(), d.id); err != nil || b.Left != left {
			t.Fatalf("%+v, %v; want %d left", b, err, left)
		}
	}
	if more, err := d.BulkRound(t.Context()); err != nil || more { // not before it is due again
		t.Fatalf("%v, %v", more, err)
	}
	if b, err := d.BulkRefund(t.Context(), d.id); err != nil || b.Left != 0 || b.Canceled != orders || b.Refunding != orders {
		t.Errorf("%+v, %v", b, err)
	}
	d.provider.before = nil
	d.refunds()
	if b, err := d.BulkRefund(t.Context(), d.id); err != nil || b.Refunded != orders || b.Refunding != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	d.audited()
}
