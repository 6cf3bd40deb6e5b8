package order_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// takenByHand is what somebody does in the provider's dashboard, or a bank that was
// slower than anybody waits.
func (d *desk) takenByHand(state payment.State) {
	d.t.Helper()
	if _, err := d.db.Exec(d.t.Context(), `update sandbox_payments set state = $1
		where attempt_id in (select id from attempts where performance_id = $2)`, state, d.id); err != nil {
		d.t.Fatal(err)
	}
}

// troubles is what staff see, as kind:state.
func (d *desk) troubles() (list string) {
	d.t.Helper()
	found, err := order.Troubles(d.t.Context(), d.db)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, t := range found {
		if t.Performance != "" && t.Performance != d.id {
			continue
		}
		if t.Amount.Amount == 0 || t.Amount.Currency == "" || t.Ref == "" || t.At.IsZero() || t.Kind != order.Unknown && (t.Performance != d.id || t.Sale != d.sale) {
			d.t.Errorf("trouble %+v", t)
		}
		list += string(t.Kind) + ":" + string(t.State) + " "
	}
	return strings.TrimSpace(list)
}

func (d *desk) troubled(want string) {
	d.t.Helper()
	if got := d.troubles(); got != want {
		d.t.Errorf("staff see %q, want %q", got, want)
	}
}

// refused is a payment whose order was canceled because the fan took too long.
func (d *desk) ranOut() {
	d.t.Helper()
	d.act()
	late := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) })
	if _, err := late.Settle(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.want(strings.Replace(undone, "%", "voided", 1))
}

const reseated = "attempts done; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,canceled,placed,authorized,captured; redis sold 2"

// lastMoment has a settler look after an order whose fan took too long, and confirms at
// the bank as it looks for the second time: the settler finds money. Before it goes on,
// another core hears of the money, too, and does what it finds right.
func (d *desk) lastMoment(other func(payment.Event)) {
	d.t.Helper()
	finds := 0
	d.provider.before = func(call string) error {
		if call == "find" {
			if finds++; finds == 2 {
				d.confirm(true)
			}
		}
		return nil
	}
	d.provider.after = func(call string) error {
		if call == "find" && finds == 2 {
			finds++
			other(d.event(""))
		}
		return nil
	}
	if _, err := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) }).Settle(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	d.provider.before, d.provider.after = nil, nil
}

// The fan confirms in the moment in which the settler gives up: the order comes back, and
// nobody who asks meanwhile hears that it has failed.
func TestConfirmedInTheLastMoment(t *testing.T) {
	t.Parallel()
	d := open(t)
	r, o := d.act()
	d.lastMoment(func(payment.Event) {
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, hold.ErrPaying) {
			t.Errorf("when it is given up, and its money is there: %v, want payment-running", err)
		}
	})
	d.settleAll()
	d.want(reseated)
	d.troubled("late:reseated")
	if paid, err := d.Checkout(t.Context(), r); err != nil || paid.ID != o.ID || paid.State != order.Paid {
		t.Errorf("back: %+v, %v", paid, err)
	}
	d.consistent()
	d.free()
}

// Money comes after the order was canceled: the fan gets the places if they are
// free, whether or not the hold or its session is still there.
func TestLateMoneyIsReseated(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, how := range []string{"held", "given back", "redis lost", "authorized only"} {
		t.Run(how, func(t *testing.T) {
			d := first.another()
			d.ranOut()
			d.takenByHand(payment.Captured)
			switch how {
			case "given back":
				h, _, err := d.holds.Of(t.Context(), d.id, "s1")
				if err := errors.Join(err, d.holds.Release(t.Context(), d.id, h.ID, "s1")); err != nil {
					t.Fatal(err)
				}
			case "redis lost":
				d.loseRedis()
				d.rebuild()
			case "authorized only":
				d.takenByHand(payment.Authorized)
			}
			e := d.event("")
			d.hear(e, order.HeardNow)
			d.hear(e, order.HeardAgain)
			d.want(reseated)
			d.troubled("late:reseated")
			d.consistent()
			d.free()
		})
	}
}

// Somebody else has the places: the money goes back, once.
func TestLateMoneyGoesBack(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, c := range []struct {
		holder string
		state  payment.State
		end    string
		ledger string
	}{
		{"somebody holds them", payment.Captured, "late:refunded", "placed,canceled,captured,refunded"},
		{"somebody holds them", payment.Authorized, "late:let_go", "placed,canceled"},
		{"Redis forgot who has bought them", payment.Captured, "late:refunded", "placed,canceled,placed,authorized,captured,captured,refunded"},
		{"the fan has bought them otherwise", payment.Captured, "late:refunded", "placed,canceled,placed,authorized,captured,captured,refunded"},
	} {
		t.Run(c.holder+", "+string(c.state), func(t *testing.T) {
			d := first.another()
			d.ranOut()
			attempt := d.attempt()
			h, _, err := d.holds.Of(t.Context(), d.id, "s1")
			if err != nil {
				t.Fatal(err)
			}
			switch c.holder {
			case "the fan has bought them otherwise":
				if _, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil {
					t.Fatal(err)
				}
			default:
				if err := d.holds.Release(t.Context(), d.id, h.ID, "s1"); err != nil {
					t.Fatal(err)
				}
				other := d.hold("s2", 4, 5)
				if c.holder != "somebody holds them" {
					if _, err := d.Checkout(t.Context(), d.request(other, sandbox.OK)); err != nil {
						t.Fatal(err)
					}
					d.forgetSold(4)
				}
			}
			if _, err := d.db.Exec(t.Context(), `update sandbox_payments set state = $1 where attempt_id = $2`, c.state, attempt); err != nil {
				t.Fatal(err)
			}
			e := payment.Event{ID: "evt_1", About: payment.AboutPayment, Attempt: attempt, State: c.state, At: time.Now()}
			d.hear(e, order.HeardNow)
			d.hear(e, order.HeardAgain)
			e.ID = "evt_2"
			d.hear(e, order.HeardNow)
			d.settleAll()
			d.troubled(c.end)
			refunds := 0
			if c.end == "late:refunded" {
				refunds = 1
			}
			d.here(`from sandbox_refunds r join attempts a on a.id = r.attempt_id where`, refunds)
			d.here(`from attempts a where state not in ('closed', 'done') and`, 0)
			d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where (p.state = 'authorized' or p.state = 'captured' and refunded = 0) and`,
				map[bool]int{true: 1}[strings.Count(c.ledger, "placed") > 1])
			if got := d.state(); !strings.Contains(got, "ledger "+c.ledger+";") {
				t.Errorf("%s; want ledger %s", got, c.ledger)
			}
			d.free()
		})
	}
}

// Whoever bought others up to the limit of their place meanwhile gets the money back,
// not more than the sale lets a place have.
func TestLateMoneyKeepsTheLimitOfAPlace(t *testing.T) {
	t.Parallel()
	first := open(t)
	for limit, end := range map[int]string{4: "late:reseated", 3: "late:refunded"} {
		d := first.another()
		d.Desk = d.limit(limit, d.id)
		d.ranOut()
		attempt := d.attempt()
		if _, err := d.Checkout(t.Context(), d.request(d.hold("s2", 6, 7), sandbox.OK)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.db.Exec(t.Context(), `update sandbox_payments set state = 'captured' where attempt_id = $1`, attempt); err != nil {
			t.Fatal(err)
		}
		d.hear(payment.Event{ID: "evt_1", About: payment.AboutPayment, Attempt: attempt, State: payment.Captured, At: time.Now()}, order.HeardNow)
		d.settleAll()
		d.troubled(end)
		tickets := map[string]int{"late:reseated": 4, "late:refunded": 2}[end]
		d.here(`from tickets a where state = 'valid' and`, tickets)
		d.here(`from sandbox_refunds r join attempts a on a.id = r.attempt_id where`, map[bool]int{true: 1}[tickets == 2])
		d.consistent()
		d.free()
	}
}

// An order that a coupon had made cheaper does not come back: with the cancellation the
// coupon was its hold's or its owner's again, and may be used up. The money goes back.
func TestLateMoneyOfALoweredOrderGoesBack(t *testing.T) {
	t.Parallel()
	d := openLowered(t)
	k := d.claimed(20)
	h := d.place(k)
	if _, err := d.Checkout(t.Context(), with(d.request(h, sandbox.Action), func(r *order.Request) { r.Return = back })); err != nil {
		t.Fatal(err)
	}
	d.on(h, k, "coupon redeemed by its order; order pending; money needs_action")
	late := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) })
	if _, err := late.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.on(h, k, "coupon reserved; order canceled; money voided")
	d.takenByHand(payment.Captured)
	d.hear(d.event(payment.Captured), order.HeardNow)
	d.settleAll()
	d.troubled("late:refunded")
	d.on(h, k, "coupon reserved; order canceled; money captured")
	d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where p.refunded = p.amount and`, 1)
	d.consistent()
}

// here counts what is of this performance.
func (d *desk) here(query string, want int) {
	d.t.Helper()
	d.count(`select count(*) `+query+` a.performance_id = '`+string(d.id)+`'`, want)
}

// forgetSold has Redis forget that a unit is sold.
func (d *desk) forgetSold(unit int64) {
	d.t.Helper()
	for _, key := range []string{inventory.KeysOf(d.id).Taken(), inventory.KeysOf(d.id).Sold()} {
		if err := d.rdb.SetBit(d.t.Context(), key, unit, 0).Err(); err != nil {
			d.t.Fatal(err)
		}
	}
}

// An attempt that failed at once was said to cost nothing: what is reserved is let
// go without a word, what was taken is given back and shown.
func TestMoneyOfAFailedAttempt(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, c := range []struct {
		state payment.State
		end   string
	}{{payment.Authorized, ""}, {payment.Captured, "late:refunded"}} {
		d := first.another()
		if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.Declined)); !errors.Is(err, order.ErrDeclined) {
			t.Fatal(err)
		}
		d.takenByHand(c.state)
		d.hear(d.event(c.state), order.HeardNow)
		d.troubled(c.end)
		d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where (p.state = 'captured' and refunded <> p.amount or p.state = 'authorized') and`, 0)
		d.here(`from attempts a where state = 'closed' and`, 1)
		d.consistent()
		d.free()
	}
}

// The process dies while late money is put right: a settler does the rest, once.
func TestCrashWithLateMoney(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, at := range []string{"before find", "after find", "before refund", "after refund", "before void", "after void", "before capture", "after capture"} {
		t.Run(at, func(t *testing.T) {
			d := first.another()
			d.ranOut()
			end, state := "late:refunded", payment.Captured
			switch {
			case strings.HasSuffix(at, "capture"):
				end = "late:reseated"
			case strings.HasSuffix(at, "void"):
				end, state = "late:let_go", payment.Authorized
			}
			if end != "late:reseated" {
				h, _, err := d.holds.Of(t.Context(), d.id, "s1")
				if err := errors.Join(err, d.holds.Release(t.Context(), d.id, h.ID, "s1")); err != nil {
					t.Fatal(err)
				}
				d.hold("s2", 4, 5)
			}
			d.takenByHand(state)
			e := d.event(state)
			d.dies(at, func() { _, _, _ = d.Hear(t.Context(), e) })
			d.hear(e, order.HeardAgain)
			d.settleAll()
			d.troubled(end)
			d.here(`from sandbox_refunds r join attempts a on a.id = r.attempt_id where`, map[bool]int{true: 1}[end == "late:refunded"])
			d.here(`from attempts a where state in ('closed', 'done') and`, 1)
			d.consistent()
		})
	}
}

func TestEventsThatMeanNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.act()
	for _, e := range []payment.Event{
		{ID: "evt_1", About: payment.AboutPayment, Attempt: uuid.NewString()},
		{ID: "evt_2", About: payment.AboutPayment, Attempt: "'; drop table attempts; --"},
		{ID: "evt_3", About: payment.AboutRefund, Ref: "pi_1", Refund: uuid.NewString()},
		{ID: "evt_4", About: payment.AboutRefund, Ref: "pi_1", Refund: "x"},
	} {
		e.At = time.Now()
		d.hear(e, order.HeardNot)
	}
	d.want(acting)
	d.count(`select count(*) from payment_events`, 0)
}

// While Postgres or the provider is away an event is not taken in: it comes again.
func TestEventThatCannotBeTakenIn(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.act()
	d.confirm(true)
	e := d.event(payment.Authorized)
	d.provider.before = func(string) error { return errors.New("the provider is on fire") }
	if _, _, err := d.Hear(t.Context(), e); err == nil {
		t.Error("it was taken in")
	}
	d.count(`select count(*) from payment_events`, 0)
	d.provider.before = nil
	d.hear(e, order.HeardNow)
	d.want(sold)
}

// The event and its effect are one: where the effect cannot be written, the event
// is not there either, and has it when it comes again.
func TestAnEventIsWrittenWithItsEffect(t *testing.T) {
	t.Parallel()
	first := open(t)
	for _, c := range []struct{ entry, end string }{{"authorized", sold}, {"canceled", ""}, {"captured", sold}} {
		d := first.another()
		d.act()
		d.confirm(c.entry != "canceled")
		if c.entry == "captured" { // the answer of the capture was lost
			if _, err := d.db.Exec(t.Context(), `with a as (update attempts set state = 'recorded', action = '' where state = 'acting' returning performance_id, id, amount, currency)
				insert into order_ledger (performance_id, order_id, entry, amount, currency)
				select a.performance_id, o.id, 'authorized', a.amount, a.currency from a join orders o on o.attempt_id = a.id`); err != nil {
				t.Fatal(err)
			}
		}
		before := d.state()
		e := d.event("")
		if _, err := d.db.Exec(t.Context(), `alter table order_ledger add constraint broken check (entry <> '`+c.entry+`') not valid`); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Hear(t.Context(), e); err == nil {
			t.Errorf("%s: it was taken in", c.entry)
		}
		d.here(`from payment_events a where`, 0)
		if now := strings.Replace(d.state(), "payments captured", "payments authorized", 1); now != before {
			t.Errorf("%s: before\n%s, then\n%s", c.entry, before, now)
		}
		if _, err := d.db.Exec(t.Context(), `alter table order_ledger drop constraint broken`); err != nil {
			t.Fatal(err)
		}
		d.hear(e, order.HeardNow)
		d.hear(e, order.HeardAgain)
		if c.end == "" {
			c.end = strings.Replace(undone, "%", "declined", 1)
		}
		d.want(c.end)
	}
}

// Two find at the same time that an order was canceled and its money is there. The one
// that is slower used to give the money back that the other had captured for it: the hold
// was sold, as if the fan had bought the places otherwise, and nobody looked by whom.
func TestWhoIsSlowerGivesNoPaidOrdersMoneyBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.act()
	d.lastMoment(func(e payment.Event) {
		d.hear(e, order.HeardNow)
		d.want(reseated)
	})
	d.settleAll()
	d.want(reseated)
	d.troubled("late:reseated")
	d.here(`from sandbox_refunds r join attempts a on a.id = r.attempt_id where`, 0)
	d.consistent()
}

// The same, and the places come free between the two looks: while one gives the money back
// since somebody holds them, the other would have the order's places again for it.
func TestMoneyThatGoesBackBuysNothing(t *testing.T) {
	t.Parallel()
	for _, state := range []payment.State{payment.Captured, payment.Authorized} {
		d := open(t)
		d.ranOut()
		d.takenByHand(state)
		h, _, err := d.holds.Of(t.Context(), d.id, "s1")
		d.must(err)
		d.must(d.holds.Release(t.Context(), d.id, h.ID, "s1"))
		other := d.hold("s2", 4, 5)
		once := false
		d.provider.before = func(call string) error {
			if (call == "refund" || call == "void") && !once {
				once = true
				d.must(d.holds.Release(t.Context(), d.id, other.ID, "s2"))
				d.hear(d.event(""), order.HeardNow)
			}
			return nil
		}
		d.hear(d.event(""), order.HeardNow)
		d.settleAll()
		if !once {
			t.Error("no money went back")
		}
		d.here(`from attempts a where state <> 'closed' and`, 0)
		d.here(`from sandbox_payments p join attempts a on a.id = p.attempt_id where (p.state = 'authorized' or p.state = 'captured' and refunded = 0) and`, 0)
		d.count(`select count(*) from tickets where state <> 'canceled'`, 0)
		d.troubled(map[payment.State]string{payment.Captured: "late:refunded", payment.Authorized: "late:let_go"}[state])
		d.consistent()
		d.free()
	}
}

// Another core is about to give the money back, and has not committed yet: whoever would
// have the order's places again for it waits, and sees that it goes.
func TestAnOrderIsNotRevivedWhileItsMoneyGoesBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.ranOut()
	d.takenByHand(payment.Captured)
	tx, err := d.db.Begin(t.Context())
	d.must(err)
	defer func() { _ = tx.Rollback(context.Background()) }() // else the pool would wait for it
	seized := make(chan error, 1)
	d.provider.after = func(call string) error {
		if call == "find" { // the money is found
			_, err := tx.Exec(t.Context(), `select from attempts where id = $1 for update`, d.attempt())
			seized <- err
		}
		return nil
	}
	e, heard := d.event(""), make(chan error, 1)
	go func() {
		_, _, err := d.Hear(t.Context(), e)
		heard <- err
	}()
	d.must(<-seized)
	d.awaitLock()
	d.provider.after = nil
	tag, err := tx.Exec(t.Context(), `update payment_troubles set refund_id = gen_random_uuid() where attempt_id = $1 and kind = 'late'`, d.attempt())
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatal(tag, err)
	}
	d.must(tx.Commit(t.Context()))
	d.must(<-heard)
	d.settleAll()
	d.troubled("late:refunded")
	d.count(`select count(*) from tickets where state <> 'canceled'`, 0)
	d.consistent()
}

// Whoever takes an attempt for failed that somebody else has gone on with gives its hold
// back, late. The units used to be marked as sold then while the hold went on to run, and
// to be shown to its fan, for as long as ten minutes.
func TestAHoldThatWasGivenBackByMistakeEndsWithTheSale(t *testing.T) {
	t.Parallel()
	d := open(t)
	h := d.hold("s1", 3, 4)
	d.provider.after = func(call string) error {
		if call == "capture" {
			d.must(d.holds.Unpay(t.Context(), d.id, h.ID, d.attempt(), order.Grace))
		}
		return nil
	}
	if o, err := d.Checkout(t.Context(), d.request(h, sandbox.OK)); err != nil || o.State != order.Paid {
		t.Fatalf("%+v, %v", o, err)
	}
	d.want(sold)
	d.consistent()
	if now, _, err := d.holds.Of(t.Context(), d.id, "s1"); err == nil && now.Live() {
		t.Errorf("the hold is %+v", now)
	}
}
