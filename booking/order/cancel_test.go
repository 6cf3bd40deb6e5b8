package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tariff"
)

// strict keeps a tenth of a ticket and the fee, until an hour before the start,
// when the show of these tests begins to be sold.
var strict = tariff.Tariff{FeeRate: 250, FeeFixed: 49, TaxRate: 1900, Refund: tariff.Refund{Before: 60, KeepRate: 1000, KeepFee: true}}

func openBy(t *testing.T, rules tariff.Tariff) *desk {
	t.Helper()
	d := open(t)
	if _, err := d.db.Exec(t.Context(), `update performances set tariff = $1`, rules); err != nil {
		t.Fatal(err)
	}
	d.shows = catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, d.shows)
	d.Desk = d.deskOn(d.store, d.shows)
	return d
}

func (d *desk) buys(session string, units ...int) order.Order {
	d.t.Helper()
	o, err := d.Checkout(d.t.Context(), d.request(d.hold(session, units...), sandbox.OK))
	if err != nil || o.State != order.Paid {
		d.t.Fatalf("bought %+v, %v", o, err)
	}
	return o
}

// refunds has the worker do what is due, as often as it takes.
func (d *desk) refunds() {
	d.t.Helper()
	d.await("every cancellation is through", func() bool {
		if _, err := d.settler().Refund(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
		var open int
		err := d.db.QueryRow(d.t.Context(), `select count(*) from cancellations where state = 'refunding' or not freed`).Scan(&open)
		return err == nil && open == 0
	})
}

func TestCancelGivesBackByTheRules(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	one := order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Buyer}
	for range 2 { // a repeat changes nothing
		now, err := d.Cancel(t.Context(), one)
		if err != nil || now.State != order.Paid || now.Tickets[0].State != "canceled" || now.Tickets[1].State != "valid" {
			t.Fatalf("canceled one: %+v, %v", now, err)
		}
		d.want("attempts done; orders paid; tickets 3:canceled,4:valid; payments captured; " +
			"ledger placed,authorized,captured,fee,canceled,kept,refunding,refunded; redis sold 1")
	}
	// Of 7500 paid, 212 are the fee's, and a tenth of the rest is 728.8.
	d.entries("placed 15000 buyer, authorized 15000 buyer, captured 15000 system, fee 424 system, " +
		"canceled 7500 buyer, kept 941 buyer, refunding 6559 buyer, refunded 6559 system")
	d.count(`select refunded from sandbox_payments`, 6559)
	d.audited()
	if d.provider.held != 0 {
		t.Errorf("%d pooled connections were held during calls of the provider", d.provider.held)
	}

	// Staff give the rest back whole, and the fee to the organizer.
	now, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "the tenor is ill", Full: true})
	if err != nil || now.State != order.Canceled {
		t.Fatalf("canceled the rest: %+v, %v", now, err)
	}
	d.count(`select refunded from sandbox_payments`, 6559+7500)
	d.count(`select amount from order_ledger where entry = 'fee_returned' and who = 'staff:ann'`, 212)
	d.audited()
	again := d.buys("s2", 3, 4)
	d.consistent()
	if again.ID == o.ID {
		t.Error("it is the same order")
	}
	if list, err := d.store.Cancellations(t.Context(), o); err != nil || len(list) != 2 || list[1].Reason != "the tenor is ill" {
		t.Errorf("cancellations %+v, %v", list, err)
	}
}

func TestCancelIsRefused(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o, other := d.buys("s1", 3, 4), d.buys("s2", 7)
	d.provider.before = func(call string) error {
		if call == "capture" {
			return errors.New("not now")
		}
		return nil
	}
	pending, err := d.Checkout(t.Context(), d.request(d.hold("s3", 9), sandbox.OK))
	if err != nil || pending.State != order.Pending {
		t.Fatalf("%+v, %v", pending, err)
	}
	before := d.state()
	buyer := func(id string, tickets ...string) order.Cancel {
		return order.Cancel{Order: id, Tickets: tickets, Who: order.Buyer}
	}
	for name, c := range map[string]struct {
		cancel order.Cancel
		want   error
	}{
		"no such order":    {buyer(uuid.NewString()), order.ErrUnknown},
		"another's ticket": {buyer(o.ID, o.Tickets[0].ID, other.Tickets[0].ID), order.ErrTicketUnknown},
		"ticket of SQL":    {buyer(o.ID, "'; drop table tickets; --"), order.ErrTicketUnknown},
		"not paid":         {buyer(pending.ID), order.ErrNotPaid},
	} {
		if _, err := d.Cancel(t.Context(), c.cancel); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := d.db.Exec(t.Context(), `update performances set starts_at = now() + interval '59 s'`); err != nil {
		t.Fatal(err)
	}
	late := d.deskOn(d.store, catalogue.New(d.db, time.Now))
	if _, err := late.Cancel(t.Context(), buyer(o.ID)); !errors.Is(err, order.ErrCancelClosed) {
		t.Errorf("too late: %v", err)
	}
	if after := d.state(); after != before {
		t.Errorf("something changed:\nfrom %s\nto   %s", before, after)
	}
	// Staff are not bound by the time.
	if _, err := late.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "fever"}); err != nil {
		t.Errorf("staff: %v", err)
	}
	none := openBy(t, tariff.Tariff{})
	if _, err := none.Cancel(t.Context(), buyer(none.buys("s1", 3).ID)); !errors.Is(err, order.ErrCancelClosed) {
		t.Errorf("without rules: %v", err)
	}
}

// The process dies at every step of a cancel: the worker brings it to the same end,
// whatever Redis has lost, and the money goes back once.
func TestCrashAtEveryStepOfACancel(t *testing.T) {
	t.Parallel()
	const written = "attempts done; orders canceled; tickets 3:canceled,4:canceled; payments captured; ledger placed,authorized,captured,fee,canceled,kept,canceled,kept,refunding"
	for _, c := range []struct{ at, left string }{
		{"before the script", written + "; redis sold 2"},
		{"after the script", written + "; redis sold 0"},
		{"before refund", written + "; redis sold 0"},
		{"after refund", written + "; redis sold 0"},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Redis lost %v", c.at, lost), func(t *testing.T) {
				t.Parallel()
				d := openBy(t, strict)
				o := d.buys("s1", 3, 4)
				cancel := order.Cancel{Order: o.ID, Who: order.Buyer}
				d.dies(c.at, func() { _, _ = d.Cancel(context.Background(), cancel) })
				d.want(c.left)
				if lost {
					d.loseRedis()
					d.rebuild()
					d.buys("s2", 3) // before the worker comes to it
				}
				d.refunds()
				if now, err := d.Cancel(t.Context(), cancel); err != nil || now.State != order.Canceled {
					t.Errorf("the fan asks again: %+v, %v", now, err)
				}
				d.count(`select refunded from sandbox_payments p join orders o on o.attempt_id = p.attempt_id where o.state = 'canceled'`, 2*6559)
				d.count(`select count(*) from order_ledger where entry = 'refunded'`, 1)
				d.audited()
				if !lost {
					d.buys("s2", 3)
				}
				d.refunds()
				d.consistent()
			})
		}
	}
}

// Canceled before Redis was told that the units are sold: they are free all the
// same, and a late word of the sale changes nothing.
func TestALateSaleDoesNotTakeWhatWasCanceled(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	r := d.request(d.hold("s1", 3, 4), sandbox.OK)
	d.crash(r, "before script 2") // captured; Redis does not know
	var id, attempt string
	d.must(d.db.QueryRow(t.Context(), `select id, attempt_id from orders`).Scan(&id, &attempt))
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: id, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.settle(1)
	d.consistent()
	d.buys("s2", 3)
	d.must(d.holds.Sell(t.Context(), d.id, r.Hold, attempt, []int{3, 4}))    // it was slow
	d.must(d.holds.Return(t.Context(), d.id, attempt, "place", []int{3, 4})) // and so was this
	d.consistent()
	d.audited()
}

// between cancels after Postgres was read and before Redis is told.
type between struct {
	*order.Store
	cancel func()
}

func (b *between) Recorded(ctx context.Context, id ropeline.PerformanceID) (inventory.Recorded, error) {
	r, err := b.Store.Recorded(ctx, id)
	if b.cancel != nil {
		b.cancel()
		b.cancel = nil
	}
	return r, err
}

// An inventory that is rebuilt just then does not bring back the sale.
func TestARebuildDoesNotSellWhatWasCanceled(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	records := &between{d.store, func() {
		if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); err != nil {
			t.Error(err)
		}
	}}
	if _, err := d.stock.Rebuild(t.Context(), d.id, records); err != nil {
		t.Fatal(err)
	}
	d.consistent()
}

// A refund that the provider refuses stays to be seen until staff have it asked for
// again.
func TestARefusedRefundIsNotForgotten(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	if _, err := d.db.Exec(t.Context(), `update sandbox_payments set refunded = 10000`); err != nil { // by hand, or by the bank
		t.Fatal(err)
	}
	for range 2 {
		if now, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); err != nil || now.State != order.Canceled {
			t.Fatalf("%+v, %v", now, err)
		}
	}
	failed := func(want int) []order.Cancellation {
		t.Helper()
		list, _, err := d.store.FailedRefunds(t.Context(), booking.Page{})
		if err != nil || len(list) != want {
			t.Fatalf("failed refunds: %+v, %v; want %d", list, err, want)
		}
		return list
	}
	id := failed(1)[0].ID
	d.consistent()
	again, err := d.RetryRefund(t.Context(), id, order.Staff("ann"))
	if err != nil || again.State != order.RefundFailed {
		t.Errorf("again: %+v, %v", again, err)
	}
	d.consistent()
	if _, err := d.db.Exec(t.Context(), `update sandbox_payments set refunded = 0`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // of one that is through nothing happens
		if again, err = d.RetryRefund(t.Context(), id, order.Staff("ann")); err != nil || again.State != order.RefundDone {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	failed(0)
	d.count(`select refunded from sandbox_payments`, 2*6559)
	d.count(`select count(*) from order_ledger where entry = 'refunding'`, 3)
	d.audited()
	if _, err := d.RetryRefund(t.Context(), uuid.NewString(), order.Staff("ann")); !errors.Is(err, order.ErrRefundUnknown) {
		t.Errorf("no such refund: %v", err)
	}
}

// The provider tells by webhook how a refund ended that took it some time.
func TestARefundThatTakesTimeIsHeardOf(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3)
	slow := true
	d.provider.after = func(call string) error {
		if call == "refund" && slow {
			return errors.New("the answer was lost")
		}
		return nil
	}
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.count(`select count(*) from cancellations where state = 'refunding'`, 1)
	d.consistent()
	var refund string
	d.must(d.db.QueryRow(t.Context(), `select refund_id from cancellations`).Scan(&refund))
	slow = false
	e := payment.Event{ID: "evt_1", About: payment.AboutRefund, Refund: refund, At: time.Now()}
	for i, want := range []order.Heard{order.HeardNow, order.HeardAgain} {
		if _, heard, err := d.Hear(t.Context(), e); heard != want || err != nil {
			t.Errorf("event, time %d: %s, %v", i+1, heard, err)
		}
	}
	e.ID = "evt_2"
	if _, heard, err := d.Hear(t.Context(), e); heard != order.HeardNow || err != nil {
		t.Errorf("another event: %s, %v", heard, err)
	}
	d.count(`select count(*) from order_ledger where entry = 'refunded'`, 1)
	d.count(`select count(*) from payment_events`, 2)
	d.audited()
}

// Many cancel the tickets of one order at once: each ticket is canceled once, and
// paid back once.
func TestManyCancelOneOrder(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4, 5, 6)
	var g errgroup.Group
	for i := range 12 {
		g.Go(func() error {
			var tickets []string // all, from time to time
			if i%4 > 0 {
				tickets = []string{o.Tickets[i%4].ID, o.Tickets[(i+1)%4].ID}
			}
			_, err := d.Cancel(context.Background(), order.Cancel{Order: o.ID, Tickets: tickets, Who: order.Buyer})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.refunds()
	d.count(`select count(*) from order_ledger where entry = 'canceled'`, 4)
	d.count(`select count(distinct ticket_id) from order_ledger where entry = 'canceled'`, 4)
	d.count(`select (select refunded from sandbox_payments) - (select sum(amount) from cancellations)`, 0)
	d.audited()
	if calls := d.provider.calls; slices.Contains(calls, "void") {
		t.Errorf("the provider was called %v", calls)
	}
}

// The request and the worker are at one refund at the same time, and the provider
// answers both: its end is written once.
func TestARefundEndsOnceThoughTwoAskForIt(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3)
	var both sync.WaitGroup
	both.Add(2)
	d.provider.after = func(call string) error {
		if call == "refund" { // neither is written down before both are answered
			both.Done()
			both.Wait()
		}
		return nil
	}
	var g errgroup.Group
	g.Go(func() error {
		_, err := d.Cancel(context.Background(), order.Cancel{Order: o.ID, Who: order.Buyer})
		return err
	})
	g.Go(func() error {
		for ctx := t.Context(); ; {
			if n, err := d.settler().Refund(ctx); n > 0 || err != nil {
				return err
			}
		}
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.provider.after = nil
	d.count(`select count(*) from order_ledger where entry in ('refunded', 'refund_failed')`, 1)
	d.count(`select refunded from sandbox_payments`, 6537)
	d.audited()
}

// Two are at a refund that the provider refuses, and staff have it asked for again
// before the second has written that down: it says nothing about the new one.
func TestARefusalThatComesLateEndsNoOtherRefund(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3)
	set := func(refunded int) {
		t.Helper()
		_, err := d.db.Exec(t.Context(), `update sandbox_payments set refunded = $1`, refunded)
		d.must(err)
	}
	set(7500) // by hand
	late, again := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	d.provider.before = func(call string) error {
		if call == "refund" && calls.Add(1) == 1 {
			close(late)
			<-again
		}
		return nil
	}
	var lost atomic.Bool
	d.provider.after = func(call string) error {
		if call == "refund" && lost.Load() {
			return errors.New("the answer was lost")
		}
		return nil
	}
	done := make(chan error, 1)
	go func() {
		_, err := d.Cancel(context.Background(), order.Cancel{Order: o.ID, Who: order.Buyer})
		done <- err
	}()
	<-late
	d.refunds() // the worker's is refused
	list, _, err := d.store.FailedRefunds(t.Context(), booking.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("failed refunds %+v, %v", list, err)
	}
	set(0)
	lost.Store(true)
	if now, err := d.RetryRefund(t.Context(), list[0].ID, order.Staff("ann")); err != nil || now.State != order.RefundRunning {
		t.Fatalf("again: %+v, %v", now, err)
	}
	lost.Store(false)
	close(again)
	d.must(<-done)
	d.count(`select count(*) from cancellations where state = 'refunding'`, 1)
	d.refunds()
	d.count(`select count(*) from cancellations where state = 'refunded'`, 1)
	d.count(`select count(*) from order_ledger where entry = 'refund_failed'`, 1)
	d.count(`select refunded from sandbox_payments`, 6537)
	d.audited()
}
