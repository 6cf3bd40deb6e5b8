package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/payment/stripe/stripetest"
)

// refundByHand is what somebody does at the provider, and what it tells of that.
func (d *desk) refundByHand(amount int64) payment.Event {
	d.t.Helper()
	c := payment.Charge{Attempt: d.attempt()}
	d.must(d.sandbox().RefundByHand(d.t.Context(), c, amount))
	p, err := d.sandbox().Find(d.t.Context(), c)
	d.must(err)
	return payment.Event{ID: "evt_" + uuid.NewString(), About: payment.AboutRefund, Ref: p.Ref, At: time.Now().UTC()}
}

// refusesRefunds has the provider refuse every refund, until before is nil again.
func (d *desk) refusesRefunds() {
	d.provider.before = func(call string) error {
		if call == "refund" {
			return payment.ErrNotRefundable
		}
		return nil
	}
}

// Somebody gives a part back at the provider, and then the rest: nothing of it is owed
// any more, canceling gives back no more than is there, and who has all of the money
// has no tickets.
func TestRefundsByHandAreBooked(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	e := d.refundByHand(4000)
	d.hear(e, order.HeardNow)
	d.hear(e, order.HeardAgain)
	d.compare(1) // finds it as well
	d.want("attempts done; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,authorized,captured,fee,refunded,waived; redis sold 2")
	d.audited()
	if list, err := d.store.Cancellations(t.Context(), o); err != nil || len(list) != 1 || list[0].Reason != order.ByHand || list[0].Amount.Amount != 4000 || len(list[0].Units) != 0 {
		t.Errorf("on the receipt: %+v, %v", list, err)
	}
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 4000, Fee: 424, Owed: 10576, Tax: 1756})

	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill", Full: true}); err != nil {
		t.Fatal(err)
	}
	d.refunds()
	d.count(`select refunded from sandbox_payments`, 4000+7500)
	d.audited()
	d.hear(d.refundByHand(3500), order.HeardNow)
	d.refunds()
	d.count(`select count(*) from tickets where state <> 'canceled'`, 0)
	d.count(`select count(*) from orders where state <> 'canceled'`, 0)
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 15000})
	d.buys("s2", 3, 4)
	d.consistent()
	d.free()
}

// More is canceled than is left.
func TestCancelAfterARefundByHand(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	shown := func() (sum int64) {
		r, err := d.Receipt(t.Context(), o.ID)
		d.must(err)
		for _, back := range r.Back {
			sum += back
		}
		return sum
	}
	before := shown()
	d.hear(d.refundByHand(14000), order.HeardNow)
	now := shown() // no more than is left, less what is kept of that
	if before != 2*6559 || now <= 0 || now >= 1000 {
		t.Errorf("%d and then %d come back, by the receipt", before, now)
	}
	cancel := order.Cancel{Order: o.ID, Who: order.Buyer, Shown: &before}
	if _, err := d.Cancel(t.Context(), cancel); !errors.Is(err, order.ErrRefundLess) {
		t.Errorf("canceled for less than was shown: %v", err)
	}
	cancel.Shown = &now
	if now, err := d.Cancel(t.Context(), cancel); err != nil || now.State != order.Canceled {
		t.Fatalf("%+v, %v", now, err)
	}
	d.count(`select sum(amount) from cancellations`, 14000+int(now))
	d.refunds()
	d.count(`select count(*) from cancellations where state = 'failed'`, 0)
	d.audited()
}

// The provider refuses a refund of ours, and somebody makes it there: it is through,
// and in no list any more.
func TestARefusedRefundIsMadeByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4)
	d.refusesRefunds()
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
		t.Fatal(err)
	}
	d.failed(1)
	d.refundByHand(7500)
	d.compare(1) // no webhook comes
	d.failed(0)
	d.want("attempts done; orders paid; tickets 3:canceled,4:valid; payments captured; " +
		"ledger placed,authorized,captured,canceled,refunding,refund_failed,refunded; redis sold 1")
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 7500, Owed: 7500})
}

// … in pieces. They were once taken for money of the other ticket, which was canceled when
// they came to its price, and the refund stayed in the list: who went by that paid twice.
func TestARefusedRefundIsMadeByHandInPieces(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4)
	d.refusesRefunds()
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
		t.Fatal(err)
	}
	d.hear(d.refundByHand(2000), order.HeardNow)
	if rest := d.failed(1)[0]; rest.Amount.Amount != 5500 || rest.Order != o.ID {
		t.Errorf("still to be given back: %+v", rest)
	}
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 2000, ToRefund: 5500, Owed: 7500})
	d.provider.before = nil
	d.hear(d.refundByHand(5499), order.HeardNow)
	if rest := d.failed(1)[0]; rest.Amount.Amount != 1 {
		t.Errorf("still to be given back: %+v", rest)
	} else if c, err := d.RetryRefund(t.Context(), rest.ID, order.Staff("ann")); err != nil || c.State != order.RefundDone { // the last cent by us
		t.Errorf("%+v, %v", c, err)
	}
	d.failed(0)
	d.want("attempts done; orders paid; tickets 3:canceled,4:valid; payments captured; " +
		"ledger placed,authorized,captured,canceled,refunding,refund_failed,refunded,refunded,refunding,refunded; redis sold 1")
	d.count(`select refunded from sandbox_payments`, 7500)
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 7500, Owed: 7500})
	d.hear(d.refundByHand(1000), order.HeardNow) // more is of the other ticket, as before
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 8500, Owed: 6500})
	d.audited()

	// The bank sends all of it back: each piece is a failed refund, and may be made again.
	for range 4 {
		d.sendsBack()
	}
	d.told()
	sum := int64(0)
	for _, c := range d.failed(4) {
		sum += c.Amount.Amount
	}
	if sum != 8500 {
		t.Errorf("%d came back", sum)
	}
	d.audited()
}

// A refund of ours does not reach the provider, and somebody gives all of the money back
// there meanwhile: ours is refused when it comes, and nobody is owed it. It once stood in
// the list of what is still to be given back for ever, and who went by that paid twice.
func TestARefundThatNeverCameIsMadeByHand(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*desk, payment.Event){
		"heard of": func(d *desk, e payment.Event) { d.hear(e, order.HeardNow) },
		"compared": func(d *desk, _ payment.Event) { d.compare(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			o := d.buys("s1", 3, 4)
			away := errors.New("the provider is away")
			d.provider.before = func(call string) error {
				if call == "refund" {
					return away
				}
				return nil
			}
			if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
				t.Fatal(err)
			}
			d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments captured; ledger placed,authorized,captured,canceled,canceled,refunding; redis sold 0")
			e := d.refundByHand(15000)
			tell(d, e)
			d.provider.before = nil
			d.refunds()
			d.compare(1)
			d.failed(0)
			d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments captured; ledger placed,authorized,captured,canceled,canceled,refunding,refunded; redis sold 0")
			d.count(`select refunded from sandbox_payments`, 15000)
			d.audited()
			d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 15000})

			// The bank sends it back: ours is to be made again, and is.
			d.sendsBack()
			d.told()
			d.failed(1)
			d.audited()
		})
	}
}

// While enough is left for ours it is on its way, whatever is given back by hand: that was
// of the other tickets' money.
func TestARefundThatIsComingIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4, 5)
	d.provider.before = func(call string) error {
		if call == "refund" {
			return errors.New("the provider is away")
		}
		return nil
	}
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
		t.Fatal(err)
	}
	d.hear(d.refundByHand(8000), order.HeardNow)
	d.provider.before = nil
	d.refunds()
	d.failed(0)
	d.want("attempts done; orders paid; tickets 3:canceled,4:valid,5:valid; payments captured; ledger placed,authorized,captured,canceled,refunding,refunded,waived,refunded; redis sold 2")
	d.count(`select refunded from sandbox_payments`, 15500)
	d.audited()
}

// Of two refunds that are on their way, and of which one is not possible any more, one is
// made up for: the other one comes.
func TestOneOfTwoRefundsThatAreComingIsMadeUpFor(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4, 5)
	d.provider.before = func(call string) error {
		if call == "refund" {
			return errors.New("the provider is away")
		}
		return nil
	}
	for _, k := range o.Tickets[:2] {
		if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{k.ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
			t.Fatal(err)
		}
	}
	d.hear(d.refundByHand(15000), order.HeardNow) // of 22500: 7500 are left, for one
	d.count(`select count(*) from cancellations where made_up_by is not null`, 1)
	d.provider.before = nil
	d.refunds()
	d.failed(0)
	d.count(`select refunded from sandbox_payments`, 22500)
	d.audited()
}

// Late money that could not be given back, until somebody did: it is no trouble any
// more.
func TestLateMoneyIsGivenBackByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.ranOut()
	d.takenByHand(payment.Captured)
	d.buyElsewhere(3)
	d.refusesRefunds()
	d.hear(d.event(""), order.HeardNow)
	d.troubled("late:failed")
	d.provider.before = nil
	d.hear(d.refundByHand(15000), order.HeardNow)
	d.troubled("late:refunded")
	d.consistent()
}

// buyElsewhere has somebody else buy a place, and leaves the first attempt the newest.
func (d *desk) buyElsewhere(unit int) {
	d.t.Helper()
	h, _, err := d.holds.Of(d.t.Context(), d.id, "s1")
	d.must(errors.Join(err, d.holds.Release(d.t.Context(), d.id, h.ID, "s1")))
	d.buys("s2", unit)
	_, err = d.db.Exec(d.t.Context(), `update attempts set created_at = now() + interval '1 second' where session_id = 's1'`)
	d.must(err)
}

// What the account does otherwise is none of our business.
func TestAForeignPaymentIsRefundedByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, err := d.db.Exec(t.Context(), `insert into sandbox_payments (id, attempt_id, amount, currency, state) values (gen_random_uuid(), $1, 100, 'EUR', 'captured')`, uuid.NewString())
	d.must(err)
	var ref string
	d.must(d.db.QueryRow(t.Context(), `select id::text from sandbox_payments`).Scan(&ref))
	d.must(d.sandbox().RefundByHand(t.Context(), payment.Charge{Ref: ref}, 100))
	d.hear(payment.Event{ID: "evt_1", About: payment.AboutRefund, Ref: ref, At: time.Now().UTC()}, order.HeardNot)
	d.compare(1)
	d.count(`select count(*) from payment_events`, 0)
}

// On Stripe's dashboard, where the webhook says nothing of ours.
func TestRefundByHandAtStripe(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	d.buysBy(stripetest.Visa, "s1", 3, 4)
	var ref string
	d.must(d.db.QueryRow(t.Context(), `select provider_ref from attempts`).Scan(&ref))
	d.must(errors.Join(fake.RefundByHand(ref, 15000), fake.Deliver(t.Context())))
	d.refunds()
	d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments -; ledger placed,authorized,captured,refunded,waived,canceled,canceled; redis sold 0")
	d.consistent()
}

// The bank sends a refund by hand back, and somebody makes it again before we hear of
// either. Stripe lists the newest first: the second one gives back the same money, and
// is not one more.
func TestARefundByHandIsMadeAgainAtStripe(t *testing.T) {
	t.Parallel()
	d, fake := openStripe(t)
	d.buysBy(stripetest.Visa, "s1", 3, 4)
	var ref string
	d.must(d.db.QueryRow(t.Context(), `select provider_ref from attempts`).Scan(&ref))
	d.must(errors.Join(fake.RefundByHand(ref, 8000), fake.Deliver(t.Context())))
	made, err := d.provider.Refunds(t.Context(), payment.Charge{Ref: ref})
	if err != nil || len(made) != 1 {
		t.Fatalf("refunds %+v, %v", made, err)
	}
	d.must(errors.Join(fake.SendBack(made[0].Ref), fake.RefundByHand(ref, 8000), fake.Deliver(t.Context())))
	d.failed(0)
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 8000, Owed: 7000})
	d.want("attempts done; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,authorized,captured,refunded,waived,refund_returned,refunded; redis sold 2")
	d.paid(fake, 0, 7000)
	d.consistent()
}

// A refund by hand that is on its way has given nothing back: the tickets are good until
// the money is there, and if the bank sends it back they were never gone.
func TestAPendingRefundByHandIsNotBooked(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buys("s1", 3, 4)
	untouched := func() {
		t.Helper()
		d.want("attempts done; orders paid; tickets 3:valid,4:valid; payments captured; ledger placed,authorized,captured; redis sold 2")
		d.count(`select count(*) from cancellations`, 0)
	}
	d.provider.slow = true
	d.hear(d.refundByHand(15000), order.HeardNow)
	d.compare(1)
	untouched()
	d.sendsBack()
	d.told()
	d.compare(1)
	untouched()
	d.audited()
	d.hear(d.refundByHand(15000), order.HeardNow)
	untouched()
	d.provider.slow = false
	d.compare(1)
	d.refunds()
	d.want("attempts done; orders canceled; tickets 3:canceled,4:canceled; payments captured; ledger placed,authorized,captured,refunded,waived,canceled,canceled; redis sold 0")
	d.audited()
}

// A card of the sandbox says that somebody does so.
func TestCardThatIsRefundedByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buysBy(sandbox.GivenBack, "s1", 3, 4)
	d.told()
	d.refunds()
	d.count(`select count(*) from orders where state = 'canceled'`, 1)
	d.audited()
}
