package order_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// A long walk of purchases and cancels, with a provider that fails before and after
// it was reached. Whatever came of it, the ledger says to the cent what the provider
// says, nothing goes back twice or beyond what was paid, and the settlement is the
// sum of what the rules make of each ticket.
func TestMoneyAddsUpWhateverHappens(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	rules := tariff.Tariff{FeeRate: r.IntN(2000), FeeFixed: r.Int64N(200), TaxRate: r.IntN(3000),
		Refund: tariff.Refund{Before: 60, KeepRate: r.IntN(5000), KeepFee: r.IntN(2) == 0}}
	d := openBy(t, rules)
	failing := func(string) error {
		if r.IntN(4) == 0 {
			return errors.New("no answer")
		}
		return nil
	}
	type bought struct {
		order.Order
		parts []tariff.Part
	}
	var orders []bought
	var owed, kept, fees, back int64 // by the rules
	till := map[order.Tender]int64{}
	for range 40 {
		d.provider.before, d.provider.after = failing, failing
		if len(orders) == 0 || r.IntN(3) == 0 {
			d.provider.before, d.provider.after = nil, nil
			w, tender := d.wish(uuid.NewString()), []order.Tender{"", "", order.Cash, order.Terminal}[r.IntN(4)]
			if tender != "" {
				w.Session = order.CounterSession(w.ID)
			}
			h, err := d.holds.Any(t.Context(), w, 1+r.IntN(4), d.floor())
			if err != nil { // all are sold
				continue
			}
			var o order.Order
			if tender == "" {
				o, err = d.Checkout(t.Context(), d.request(h, sandbox.OK))
			} else {
				o, err = d.Sell(t.Context(), d.atCounter(h, tender))
			}
			if err != nil {
				t.Fatal(err)
			}
			till[tender] += o.Total.Amount
			var prices []int64
			for _, k := range o.Tickets {
				prices = append(prices, k.Price.Amount)
			}
			parts, err := rules.Split(o.Total.Amount, rules.Fee(o.Total.Amount), prices)
			if err != nil {
				t.Fatal(err)
			}
			orders, owed, fees = append(orders, bought{o, parts}), owed+o.Total.Amount, fees+rules.Fee(o.Total.Amount)
			continue
		}
		o := &orders[r.IntN(len(orders))]
		c := order.Cancel{Order: o.ID, Who: order.Buyer}
		if o.Tender != "" {
			c.Who, c.Tender = order.Staff("rosa"), []order.Tender{order.Cash, order.Terminal}[r.IntN(2)]
		}
		applied := rules.Refund
		if r.IntN(3) == 0 {
			c.Who, c.Reason, c.Full, applied = order.Staff("ann"), "fever", true, tariff.Refund{}
		}
		for _, k := range o.Tickets {
			if r.IntN(2) == 0 {
				c.Tickets = append(c.Tickets, k.ID)
			}
		}
		for i, k := range o.Tickets {
			for _, id := range c.Tickets {
				if id == k.ID && k.State == ticket.Valid {
					b := applied.Cancel(o.parts[i])
					till[c.Tender] -= b.Refund
					back, kept, owed, fees = back+b.Refund, kept+b.Kept, owed-o.parts[i].Paid, fees-b.Fee
				}
			}
		}
		if len(c.Tickets) == 0 { // would be all
			continue
		}
		now, err := d.Cancel(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		o.Order = now
		if r.IntN(5) == 0 {
			d.rebuild()
		}
		d.consistent()
	}
	d.provider.before, d.provider.after = nil, nil
	d.refunds()
	d.audited()
	sum, err := d.store.Settle(t.Context(), d.id)
	if err != nil || len(sum) != 1 || sum[0].Taken-sum[0].Refunded != till[""] || sum[0].ToRefund != 0 || till[""]+till[order.Cash]+till[order.Terminal] != owed+kept ||
		sum[0].Cash != till[order.Cash] || sum[0].Terminal != till[order.Terminal] ||
		sum[0].Fee != fees || sum[0].Owed != till[""]-fees || sum[0].Orders != len(orders) {
		t.Errorf("settled %+v, %v; want %d kept %d refunded %d fees %d, and the tills %v", sum, err, owed, kept, back, fees, till)
	}
	rows, err := d.store.SettleOrders(t.Context(), d.id, "", 1000)
	var each int64
	for _, row := range rows {
		each += row.Owed
	}
	if err != nil || len(rows) != len(orders) || each != sum[0].Owed {
		t.Errorf("%d orders come to %d, %v; want %d", len(rows), each, err, sum[0].Owed)
	}
	d.count(`select count(*) from sandbox_payments where refunded > amount`, 0)
	d.count(`select count(*) from (select attempt_id, sum(amount) s from sandbox_refunds group by attempt_id) r
		join orders o using (attempt_id) where r.s <> (select sum(c.amount) from cancellations c where c.order_id = o.id)`, 0)
}
