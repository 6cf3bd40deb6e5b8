package order_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// sendsBack is what a bank does, days later, with the newest refund that was done.
func (d *desk) sendsBack() {
	d.t.Helper()
	var ref string
	d.must(d.db.QueryRow(d.t.Context(), `select id from sandbox_refunds where not failed order by created_at desc, id desc limit 1`).Scan(&ref))
	d.must(d.sandbox().SendBack(d.t.Context(), ref))
}

func (d *desk) failed(want int) []order.Cancellation {
	d.t.Helper()
	list, _, err := d.store.FailedRefunds(d.t.Context(), booking.Page{})
	if err != nil || len(list) != want {
		d.t.Fatalf("failed refunds: %+v, %v; want %d", list, err, want)
	}
	return list
}

// A bank sends a refund back that had succeeded, twice in a row: staff see it, the books
// say that the money is here and still to be given back, and asked for again it goes
// through.
func TestARefundThatComesBackIsSeen(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o := d.buys("s1", 3, 4)
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.told()
	through := order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 13118, Fee: 424, Owed: 1458, Tax: 300}
	d.settles(through)
	for range 2 {
		d.sendsBack()
		d.told()
		d.told()
		id := d.failed(1)[0].ID
		d.audited()
		back := through
		back.Refunded, back.ToRefund = 0, 13118
		d.settles(back)
		again, err := d.RetryRefund(t.Context(), id, order.Staff("ann"))
		if err != nil || again.State != order.RefundDone {
			t.Fatalf("again: %+v, %v", again, err)
		}
		d.failed(0)
		d.told()
		d.audited()
		d.settles(through)
	}
	d.count(`select count(*) from order_ledger where entry = 'refund_returned' and amount = 13118 and who = 'system'`, 2)
	d.count(`select count(*) from order_ledger where entry = 'refunding'`, 3)
}

// The same of what somebody gave back by hand: who has lost the tickets to that is still
// to have the money. What it had made up for is to be given back again, too.
func TestARefundByHandThatComesBackIsSeen(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4)
	d.refusesRefunds()
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
		t.Fatal(err)
	}
	d.provider.before = nil
	d.failed(1)
	d.refundByHand(15000) // for the canceled one and for the other
	d.told()
	d.refunds()
	d.failed(0)
	d.count(`select count(*) from tickets where state <> 'canceled'`, 0)
	d.audited()
	d.sendsBack()
	d.told()
	d.compare(1)
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, ToRefund: 15000})
	for _, c := range d.failed(2) {
		if again, err := d.RetryRefund(t.Context(), c.ID, order.Staff("ann")); err != nil || again.State != order.RefundDone {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	d.failed(0)
	d.hear(payment.Event{ID: "evt_" + uuid.NewString(), About: payment.AboutRefund, Ref: d.refOf(d.attempt()), At: time.Now().UTC()}, order.HeardNow)
	d.failed(0) // it had failed before, and is made up for
	d.audited()
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 15000})
	d.free()
}

// It comes back, and somebody at the provider makes it again: the second one makes up for
// it, however often we look, until that comes back as well.
func TestARefundByHandIsMadeAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buys("s1", 3, 4)
	once := order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 8000, Owed: 7000}
	back := once
	back.Refunded, back.ToRefund = 0, 8000
	d.refundByHand(8000)
	d.told()
	d.settles(once)
	for range 2 {
		d.sendsBack()
		d.told()
		d.compare(1)
		d.failed(1)
		d.audited()
		d.settles(back)
		d.refundByHand(8000)
		d.told()
		d.compare(1)
		d.failed(0)
		d.audited()
		d.settles(once)
	}
	d.count(`select count(*) from order_ledger where entry = 'refund_returned' and amount = 8000`, 2)
	d.count(`select count(*) from tickets where state = 'valid'`, 2)
}

// One of ours comes back, and somebody makes it by hand: it is made up for, whichever we
// hear of first.
func TestARefundOfOursIsMadeAgainByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	o := d.buys("s1", 3, 4)
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("ann"), Reason: "ill"}); err != nil {
		t.Fatal(err)
	}
	d.told()
	d.sendsBack()
	d.hear(d.refundByHand(7500), order.HeardNow)
	d.failed(0)
	d.audited()
	d.told()
	d.compare(1)
	d.failed(0)
	d.audited()
	d.want("attempts done; orders paid; tickets 3:canceled,4:valid; payments captured; " +
		"ledger placed,authorized,captured,canceled,refunding,refunded,refund_returned,refunded; redis sold 1")
	d.settles(order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Refunded: 7500, Owed: 7500})
}

// And of late money: somebody at the provider has to see to it, and when they have, it
// is no trouble any more.
func TestLateMoneyThatComesBackIsSeen(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.ranOut()
	d.takenByHand(payment.Captured)
	d.buyElsewhere(3)
	d.hear(d.event(""), order.HeardNow)
	d.troubled("late:refunded")
	d.told()
	d.sendsBack()
	d.told()
	d.troubled("late:failed")
	d.audited()
	d.must(d.sandbox().RefundByHand(t.Context(), payment.Charge{Ref: d.refOf(d.attempt())}, 15000))
	d.told()
	d.troubled("late:refunded")
	d.audited()
	d.count(`select count(*) from order_ledger where entry = 'refund_returned'`, 1)
}

func (d *desk) refOf(attempt string) string {
	d.t.Helper()
	p, err := d.sandbox().Find(d.t.Context(), payment.Charge{Attempt: attempt})
	d.must(err)
	return p.Ref
}

// Somebody at the provider gives back all of a payment whose tickets were exchanged: the
// new order has lost what came with them, and its tickets if it was all.
func TestAnExchangedPaymentIsRefundedByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		fee          int64 // of the exchange
		to           int   // the unit that is exchanged for
		amount       int64 // that is given back
		state        order.State
		first, other int64 // what went back, by the order's ledger
		age          string
	}{
		{"all of it", 0, cheap + 4, 7000, order.Canceled, 3500, 3500, "0"},
		{"all but what another payment paid", 200, cheap + 4, 7000, order.Paid, 3700, 3300, "0"},
		{"what came with the exchange is the last", 200, cheap + 4, 3700, order.Paid, 3700, 0, "0"},
		{"a part of that", 200, dear, 4000, order.Paid, 3700, 300, "0"},
		{"also if the clock was set back meanwhile", 200, dear, 4000, order.Paid, 3700, 300, "1 day"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rules := swaps
			rules.Exchange.Fee = c.fee
			d, other := twice(t, rules)
			o := d.buys("s1", cheap, cheap+1)
			n := d.exchanges(o, 0, other, c.to)
			_, err := d.db.Exec(t.Context(), `update orders set created_at = created_at - $2::text::interval where id = $1`, n.ID, c.age)
			d.must(err)
			var attempt string
			d.must(d.db.QueryRow(t.Context(), `select attempt_id from orders where id = $1`, o.ID).Scan(&attempt))
			d.must(d.sandbox().RefundByHand(t.Context(), payment.Charge{Ref: d.refOf(attempt)}, c.amount))
			d.told()
			d.told()
			d.refunds()
			d.adds()
			d.back(o, c.first)
			d.back(n, c.other)
			if told, err := d.store.Cancellations(t.Context(), n); err != nil || (len(told) > 0) != (c.other > 0) {
				t.Errorf("the new order is told of %+v, %v", told, err)
			}
			d.count(`select count(*) from tickets where order_id = '`+o.ID+`' and state = 'valid'`, 0)
			if now, err := d.store.Order(t.Context(), n.ID); err != nil || now.State != c.state {
				t.Errorf("the new order is %+v, %v", now, err)
			}
			d.sendsBack()
			d.told()
			d.adds()
			d.back(o, 0)
			d.back(n, 0)
			list, _, err := d.store.FailedRefunds(t.Context(), booking.Page{})
			d.must(err)
			for _, f := range list {
				if again, err := d.RetryRefund(t.Context(), f.ID, order.Staff("ann")); err != nil || again.State != order.RefundDone {
					t.Errorf("again: %+v, %v", again, err)
				}
			}
			d.refunds()
			d.adds()
			d.back(o, c.first)
			d.back(n, c.other)
			if _, err := d.Cancel(t.Context(), order.Cancel{Order: n.ID, Who: order.Staff("ann"), Reason: "fire", Full: true}); err != nil {
				t.Error(err)
			}
			d.refunds()
			d.failed(0)
			d.adds()
		})
	}
}

// back wants so much to have gone back, by the ledger of an order.
func (d *desk) back(o order.Order, want int64) {
	d.t.Helper()
	d.count(`select coalesce(sum(case entry when 'refunded' then amount when 'refund_returned' then -amount end), 0) from order_ledger where order_id = '`+o.ID+`'`, int(want))
}

// A dispute costs something in the currency of our account at the provider, which is not
// the order's: that is in the ledger, and in a settlement of its own.
func TestADisputeCostsAnotherCurrency(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.buysBy(sandbox.Disputed, "s1", 3, 4)
	_, err := d.db.Exec(t.Context(), `update sandbox_disputes set fee_currency = 'USD'`)
	d.must(err)
	d.told()
	d.count(`select count(*) from order_ledger where entry = 'dispute_fee' and amount = 1500 and currency = 'USD'`, 1)
	d.audited()
	got, err := d.store.Settle(t.Context(), d.id)
	if err != nil || len(got) != 2 || got[0] != (order.Settlement{Currency: "EUR", Orders: 1, Taken: 15000, Disputed: 15000, Tax: got[0].Tax, Net: got[0].Net}) ||
		got[1] != (order.Settlement{Currency: "USD", Charged: 1500, Owed: -1500, Net: -1500}) {
		t.Errorf("settled %+v, %v", got, err)
	}
	if one, err := d.store.SettleOrders(t.Context(), d.id, "", 1); err != nil || len(one) != 2 || one[0].Order != one[1].Order {
		t.Errorf("order by order %+v, %v: both lines come together", one, err)
	}
	d.must(d.sandbox().Judge(t.Context(), d.attempt(), true))
	d.told()
	d.audited()
	_, err = d.db.Exec(t.Context(), `insert into order_ledger (performance_id, order_id, entry, amount, currency) select performance_id, id, 'dispute_fee', 1, 'USD' from orders`)
	d.must(err)
	if bad, _, err := d.store.Audit(t.Context(), d.id); err != nil || len(bad) != 1 {
		t.Errorf("a fee that no dispute had: %+v, %v", bad, err)
	}
}

// Who exchanges for the buyer has placed the new order, by the ledger.
func TestStaffPlaceWhatTheyExchange(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, swaps)
	for i, method := range []string{sandbox.OK, sandbox.Action} {
		o := d.buys("s"+string(rune('1'+i)), cheap+i)
		x := wishFor(o, 0)
		x.Who, x.Reason, x.Method, x.Return = order.Staff("ann"), "a mistake", method, "https://tickets.example.org/back"
		d.quoted(&x, d.id, dear+i)
		n, err := d.Exchange(t.Context(), x)
		d.must(err)
		if n.Action != "" {
			var attempt string
			d.must(d.db.QueryRow(t.Context(), `select attempt_id from orders where id = $1`, n.ID).Scan(&attempt))
			d.must(d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: attempt}, true))
			n, err = d.Exchange(t.Context(), x)
			d.must(err)
		}
		d.count(`select count(*) from order_ledger where order_id = '`+n.ID+`' and entry in ('placed', 'authorized') and who = 'staff:ann'`, 2)
		d.count(`select count(*) from order_ledger where order_id = '`+n.ID+`' and who = 'buyer'`, 0)
		d.count(`select count(*) from order_ledger where order_id = '`+o.ID+`' and entry in ('placed', 'authorized') and who = 'buyer'`, 2)
	}
}
