package order_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
)

// However often and late a dispute's standings are seen, and in whatever order, the
// books come to the last of them, and each movement is in the ledger once.
func TestDisputesComeToTheirEndInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := booking.Money{Amount: rapid.Int64Range(1, 1e6).Draw(t, "amount"), Currency: "EUR"}
		at := func(s payment.DisputeState, withdrawn, reinstated, fee, back int64) payment.Dispute {
			return payment.Dispute{Ref: "dp", State: s, Amount: amount, Withdrawn: withdrawn, Reinstated: reinstated, Fee: payment.Fee{Taken: fee, Returned: back, Currency: "EUR"}}
		}
		a, fee := amount.Amount, int64(1500)
		story := []payment.Dispute{at(payment.DisputeAsked, 0, 0, 0, 0), at(payment.DisputeOpen, a, 0, fee, 0)}
		switch rapid.IntRange(0, 2).Draw(t, "end") {
		case 0:
			story = append(story, at(payment.DisputeWon, a, 0, fee, 0), at(payment.DisputeWon, a, a, fee, fee)) // the money comes later
		case 1:
			story = append(story, at(payment.DisputeLost, a, 0, fee, 0))
		}
		end := story[len(story)-1]
		seen := rapid.SliceOf(rapid.SampledFrom(story)).Draw(t, "seen")
		seen = append(seen, end)
		seen = append(seen, rapid.SliceOf(rapid.SampledFrom(story)).Draw(t, "afterwards")...)
		var b order.Booked
		sums := map[string]int64{}
		for _, now := range seen {
			next, entries := b.With(now)
			if again, more := next.With(now); again != next || len(more) > 0 {
				t.Fatalf("the same again: %+v, %v", again, more)
			}
			for name, n := range entries {
				sums[name] += n
			}
			b = next
		}
		state, withdrawn, reinstated, taken := b.Is()
		if state != end.State || withdrawn != end.Withdrawn || reinstated != end.Reinstated || taken != end.Fee.Taken {
			t.Fatalf("the books say %+v, want %+v", b, end)
		}
		want := map[string]int64{"disputed": a, "withdrawn": a, "reinstated": end.Reinstated, "dispute_fee": fee, "dispute_fee_returned": end.Fee.Returned}
		if end.State.Over() {
			want["dispute_"+string(end.State)] = a
		}
		for name, n := range want {
			if sums[name] != n {
				t.Fatalf("%s came to %d, want %d: %v", name, sums[name], n, sums)
			}
		}
		for name := range sums {
			if _, ok := want[name]; !ok {
				t.Fatalf("the ledger says %v", sums)
			}
		}
	})
}

// told has the sandbox say what there is to say.
func (d *desk) told() {
	d.t.Helper()
	p := d.sandbox()
	hooked := p
	hooked = p.Hooked("whsec_of_the_test", time.Now, func(ctx context.Context, header http.Header, body []byte) error {
		e, err := hooked.Event(header, body)
		if err == nil {
			_, _, err = d.Hear(ctx, e)
		}
		return err
	})
	for {
		if n, err := hooked.Deliver(d.t.Context()); err != nil {
			d.t.Fatal(err)
		} else if n == 0 {
			return
		}
	}
}

// aDispute tells of the newest payment's dispute as a webhook would.
func (d *desk) aDispute() payment.Event {
	d.t.Helper()
	e := payment.Event{ID: "evt_" + uuid.NewString(), About: payment.AboutDispute, At: time.Now().UTC()}
	for found, err := range d.sandbox().Disputes(d.t.Context(), "", time.Unix(0, 0)) {
		d.must(err)
		if found.Attempt == d.attempt() {
			e.Dispute, e.Ref = found.Ref, found.Payment
		}
	}
	return e
}

const inDispute = "attempts done; orders paid; tickets 3:%[1]s,4:%[1]s; payments captured; ledger placed,authorized,captured"

func disputed(state, entries string) string {
	return strings.ReplaceAll(inDispute, "%[1]s", state) + entries + "; redis sold 2"
}

func (d *desk) buysBy(method, session string, units ...int) order.Order {
	d.t.Helper()
	o, err := d.Checkout(d.t.Context(), d.request(d.hold(session, units...), method))
	if err != nil || o.State != order.Paid {
		d.t.Fatalf("bought %+v, %v", o, err)
	}
	return o
}

func (d *desk) disputes() []order.Dispute {
	d.t.Helper()
	found, _, err := d.store.Disputes(d.t.Context(), booking.Page{})
	d.must(err)
	return found
}

// A dispute blocks the tickets, and nothing of the order is given back meanwhile; who
// wins it has valid tickets again, and the settlement says what it cost.
func TestDisputeThatIsWon(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buysBy(sandbox.Disputed, "s1", 3, 4)
	e := d.aDispute()
	d.hear(e, order.HeardNow)
	d.hear(e, order.HeardAgain)
	d.want(disputed("blocked", ",disputed,withdrawn,dispute_fee"))
	d.consistent()
	cancel := order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "ill", Full: true}
	if _, err := d.Cancel(t.Context(), cancel); !errors.Is(err, order.ErrDisputed) {
		t.Errorf("canceled in dispute: %v", err)
	}
	if list := d.disputes(); len(list) != 1 || list[0].Order != o.ID || list[0].State != payment.DisputeOpen || list[0].Withdrawn != 15000 ||
		list[0].Fee.Taken != 1500 || list[0].EvidenceDue.IsZero() || list[0].Void != 0 {
		t.Errorf("staff see %+v", list)
	} else if _, err := d.Release(t.Context(), list[0].ID, order.Staff("ann"), "sell them"); !errors.Is(err, order.ErrDisputeOpen) {
		t.Errorf("released while open: %v", err)
	}
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Disputed: 15000, Charged: 1500, Owed: -1500})

	d.must(d.sandbox().Judge(t.Context(), d.attempt(), true))
	d.hear(d.aDispute(), order.HeardNow)
	d.hear(e, order.HeardAgain) // the first comes once more
	d.want(disputed("valid", ",disputed,withdrawn,dispute_fee,reinstated,dispute_won"))
	d.consistent()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Charged: 1500, Owed: 13500})
	if _, err := d.Cancel(t.Context(), cancel); err != nil {
		t.Errorf("canceled afterwards: %v", err)
	}
	d.refunds()
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 15000, Charged: 1500, Owed: -1500})
	d.free()
}

// settles wants the settlement of the performance, of its sale, and order by order. The
// net is what the others come to.
func (d *desk) settles(want order.Settlement) {
	d.t.Helper()
	want.Net = want.Owed + want.Cash + want.Terminal - want.Tax
	got, err := d.store.Settle(d.t.Context(), d.id)
	if err != nil || len(got) != 1 {
		d.t.Fatalf("settled %+v, %v", got, err)
	}
	sale, err := d.store.SettleSale(d.t.Context(), d.sale)
	if err != nil || len(sale) != 1 || sale[0].Performance != d.id || sale[0].Settlement != want || sale[0].Title == "" || sale[0].StartsAt.IsZero() {
		d.t.Errorf("settled the sale %+v, %v", sale, err)
	}
	sum := order.Settlement{Currency: want.Currency}
	of, err := d.store.SettleOrders(d.t.Context(), d.id, "", 100)
	d.must(err)
	for _, o := range of {
		sum = sum.Plus(o.Settlement)
	}
	if got[0] != want || sum != want {
		d.t.Errorf("settled %+v, and order by order %+v\nwant %+v", got[0], sum, want)
	}
}

// Who loses one has no tickets, and nobody else has the places before staff say so.
func TestDisputeThatIsLost(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buysBy(sandbox.DisputeLost, "s1", 3, 4)
	d.told()
	d.want(disputed("void", ",disputed,withdrawn,dispute_fee,dispute_lost"))
	d.consistent()
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "ill"}); !errors.Is(err, order.ErrDisputeLost) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := d.holds.Units(t.Context(), d.wish("s2"), []int{3}); err == nil {
		t.Error("the place of a lost dispute was held")
	}
	d.rebuild() // nor does a new inventory sell it
	d.consistent()
	list := d.disputes()
	if len(list) != 1 || list[0].State != payment.DisputeLost || list[0].Void != 2 || !list[0].EvidenceDue.IsZero() {
		t.Fatalf("staff see %+v", list)
	}
	for range 2 {
		done, err := d.Release(t.Context(), list[0].ID, order.Staff("ann"), "the door has its names")
		if err != nil || done.Void != 0 {
			t.Fatalf("released: %+v, %v", done, err)
		}
		d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments captured; " +
			"ledger placed,authorized,captured,disputed,withdrawn,dispute_fee,dispute_lost,canceled,canceled; redis sold 0")
	}
	d.count(`select count(*) from order_ledger where entry = 'canceled' and amount = 0 and who = 'staff:ann'`, 2)
	d.consistent()
	d.buys("s2", 3, 4)
	d.consistent()
	if _, err := d.Release(t.Context(), uuid.NewString(), order.Staff("ann"), "none"); !errors.Is(err, order.ErrDisputeUnknown) {
		t.Errorf("released what is not there: %v", err)
	}
	d.free()
}

// The bank asks, and takes nothing: the tickets are blocked all the same.
func TestInquiry(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buysBy(sandbox.Inquiry, "s1", 3, 4)
	d.told()
	d.want(disputed("blocked", ",disputed"))
	d.must(d.sandbox().Judge(t.Context(), d.attempt(), true))
	d.told()
	d.want(disputed("valid", ",disputed,dispute_won"))
	d.consistent()
}

// The webhook of a dispute is faster than the answer to the capture.
func TestDisputeBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	d := open(t)
	var early error
	d.provider.after = func(call string) error {
		if call != "capture" {
			return nil
		}
		d.provider.after = nil
		_, _, early = d.Hear(t.Context(), d.aDispute())
		return errors.New("the answer is lost")
	}
	o, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.Disputed))
	if err != nil || early != nil || o.State != order.Paid || o.Tickets[0].State != "blocked" {
		t.Fatalf("%+v, %v; heard with %v", o, err, early)
	}
	d.want(disputed("blocked", ",disputed,withdrawn,dispute_fee"))
	d.consistent()
}

// No webhook comes: the comparison finds the dispute, and how it ends.
func TestDisputeIsFoundWithoutWebhooks(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buysBy(sandbox.Disputed, "s1", 3, 4)
	d.compare(1)
	d.want(disputed("blocked", ",disputed,withdrawn,dispute_fee"))
	_, err := d.db.Exec(t.Context(), `update sandbox_disputes set created_at = now() - interval '1 month'`) // none of the new ones
	d.must(errors.Join(err, d.sandbox().Judge(t.Context(), d.attempt(), false)))
	d.compare(1)
	d.want(disputed("void", ",disputed,withdrawn,dispute_fee,dispute_lost"))
	d.consistent()
}

// Stripe tells what moved before it tells of the dispute, and twice.
func TestDisputeAtStripe(t *testing.T) {
	t.Parallel()
	for _, won := range []bool{true, false} {
		d, fake := openStripe(t)
		o := d.buysBy(stripetest.Disputed, "s1", 3, 4)
		d.must(fake.Deliver(t.Context()))
		ledger := "placed,authorized,captured,disputed,withdrawn,dispute_fee"
		d.want("attempts done; orders paid; tickets 3:blocked,4:blocked; payments -; ledger " + ledger + "; redis sold 2")
		list := d.disputes()
		if len(list) != 1 || list[0].Order != o.ID {
			t.Fatalf("staff see %+v", list)
		}
		d.must(fake.Judge(list[0].Payment, won))
		d.must(fake.Deliver(t.Context()))
		if won {
			d.want("attempts done; orders paid; tickets 3:valid,4:valid; payments -; ledger " + ledger + ",reinstated,dispute_won; redis sold 2")
		} else {
			d.want("attempts done; orders paid; tickets 3:void,4:void; payments -; ledger " + ledger + ",dispute_lost; redis sold 2")
		}
		d.consistent()
	}
}

// What was heard is forgotten when it cannot come again. What comes again all the same
// is too old, and changes nothing.
func TestOldEventsAreForgottenAndRefused(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buys("s1", 3, 4)
	e := d.event(payment.Captured)
	d.hear(e, order.HeardNow)
	age := func(by time.Duration) {
		e.At = e.At.Add(-by)
		_, err := d.db.Exec(t.Context(), `update payment_events set at = at - make_interval(secs => $1), heard_at = heard_at - make_interval(secs => $1)`, by.Seconds())
		d.must(err)
	}
	forgets := func(want int64) {
		t.Helper()
		if n, err := d.store.Forget(t.Context()); err != nil || n != want {
			t.Errorf("%d events are forgotten, %v; want %d", n, err, want)
		}
	}
	age(order.EventLife - time.Minute)
	forgets(0)
	d.hear(e, order.HeardAgain)
	age(2 * time.Minute)
	forgets(0) // a day longer than it may come
	d.hear(e, order.HeardLate)
	age(24 * time.Hour)
	forgets(1)
	before := d.state()
	d.hear(e, order.HeardLate)
	if after := d.state(); after != before {
		t.Errorf("it changed\n%s\nto\n%s", before, after)
	}
	d.count(`select count(*) from payment_events`, 0)
}
