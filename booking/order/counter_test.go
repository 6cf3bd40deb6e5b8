package order_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/ticket"
)

// counterHold is a hold of the counter's.
func (d *desk) counterHold(units ...int) hold.Hold {
	d.t.Helper()
	w := d.wish("")
	w.Session = order.CounterSession(w.ID)
	h, err := d.holds.Units(d.t.Context(), w, units)
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

func (d *desk) atCounter(h hold.Hold, tender order.Tender) order.CounterSale {
	return order.CounterSale{Performance: d.id, Hold: h.ID, Key: uuid.NewString(), Tender: tender, Who: order.Staff("rosa")}
}

const soldAtCounter = "attempts done; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,captured; redis sold 2"

func TestCounterSellsAHold(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	h := d.counterHold(3, 4)
	c := d.atCounter(h, order.Cash)
	o, err := d.Sell(t.Context(), c)
	if err != nil || o.State != order.Paid || o.Tender != order.Cash || o.Total.Amount != 15000 || o.Fee != 424 || len(o.Tickets) != 2 || o.Email != "" {
		t.Fatalf("sold %+v, %v", o, err)
	}
	for _, k := range o.Tickets {
		if k.State != ticket.Valid || len(k.Code) != 32 || k.Label == "" {
			t.Errorf("ticket %+v", k)
		}
	}
	d.want("attempts done; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,captured,fee; redis sold 2")
	d.entries("placed 15000 staff:rosa, captured 15000 staff:rosa, fee 424 staff:rosa")
	d.count(`select count(*) from order_ledger where tender = 'cash' and entry = 'captured'`, 1)
	d.count(`select count(*) from order_ledger where tender <> ''`, 1)
	d.audited()

	again, err := d.Sell(t.Context(), c)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(o) {
		t.Errorf("repeated: %+v, %v\nwant %+v", again, err, o)
	}
	other := c
	other.Tender = order.Terminal
	if _, err := d.Sell(t.Context(), other); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("the key for another sale: %v", err)
	}
	other.Key = "another"
	if _, err := d.Sell(t.Context(), other); !errors.Is(err, hold.ErrSold) {
		t.Errorf("the hold once more: %v", err)
	}

	// The provider knows nothing of it, and nobody asks.
	if _, err := d.db.Exec(t.Context(), `update attempts set updated_at = now() - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	d.compare(0)
	d.count(`select count(*) from payment_troubles`, 0)
	if len(d.provider.calls) > 0 {
		t.Errorf("the provider was asked %v", d.provider.calls)
	}
	// But if it has money for such an attempt, that is nobody's.
	var attempt string
	d.must(d.db.QueryRow(t.Context(), `select id from attempts`).Scan(&attempt))
	if _, err := d.sandbox().Authorize(t.Context(), payment.Charge{Attempt: attempt, Amount: o.Total, Method: sandbox.OK}); err != nil {
		t.Fatal(err)
	}
	d.compare(1)
	d.count(`select count(*) from payment_troubles where kind = 'unknown' and state = 'open'`, 1)
}

func TestComplimentaryTicketsCostNothing(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o, err := d.Sell(t.Context(), d.atCounter(d.counterHold(3, 4), order.Complimentary))
	if err != nil || o.Total.Amount != 0 || o.Fee != 0 || o.Discount != (booking.Money{Amount: 15000, Currency: "EUR"}) {
		t.Fatalf("sold %+v, %v", o, err)
	}
	d.want(soldAtCounter)
	read, err := d.store.Order(t.Context(), o.ID)
	if err != nil || fmt.Sprint(read) != fmt.Sprint(o) {
		t.Errorf("read %+v, %v\nwant %+v", read, err, o)
	}
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("rosa"), Reason: "no guest", Tender: order.Cash}); err != nil {
		t.Error(err)
	}
	d.count(`select count(*) from order_ledger where entry = 'refunded'`, 0)
	d.audited()
	if _, err := d.db.Exec(t.Context(), `update orders set amount = 1 where tender = 'complimentary'`); err == nil {
		t.Error("a complimentary order may cost something")
	}
}

func TestCounterGivesMoneyBack(t *testing.T) {
	t.Parallel()
	d := openBy(t, strict)
	o, err := d.Sell(t.Context(), d.atCounter(d.counterHold(3, 4), order.Terminal))
	if err != nil {
		t.Fatal(err)
	}
	online := d.buys("s1", 7)
	one := order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[0].ID}, Who: order.Staff("rosa"), Reason: "ill", Tender: order.Cash}
	for range 2 {
		now, err := d.Cancel(t.Context(), one)
		if err != nil || now.State != order.Paid || now.Tickets[0].State != "canceled" {
			t.Fatalf("canceled one: %+v, %v", now, err)
		}
	}
	d.count(`select count(*) from order_ledger where entry = 'refunded' and tender = 'cash' and amount = 6559`, 1)
	d.count(`select count(*) from cancellations where state = 'refunded' and freed`, 1)
	d.audited()

	buyer := order.Cancel{Order: o.ID, Who: order.Buyer}
	if _, err := d.Cancel(t.Context(), buyer); !errors.Is(err, order.ErrAtCounter) {
		t.Errorf("the buyer cancels from afar: %v", err)
	}
	wrong := order.Cancel{Order: online.ID, Who: order.Staff("rosa"), Tender: order.Cash}
	if _, err := d.Cancel(t.Context(), wrong); !errors.Is(err, order.ErrNotCounter) {
		t.Errorf("cash for an order of the web: %v", err)
	}
	bad := one
	bad.Tickets, bad.Tender = nil, order.Complimentary
	if _, err := d.Cancel(t.Context(), bad); !errors.Is(err, order.ErrTender) {
		t.Errorf("given back as nothing: %v", err)
	}
	bad.Tender, bad.Full = order.Terminal, true
	if now, err := d.Cancel(t.Context(), bad); err != nil || now.State != order.Canceled {
		t.Fatalf("canceled the rest: %+v, %v", now, err)
	}
	d.audited()

	sum, err := d.store.Settle(t.Context(), d.id)
	fee := strict.Fee(7500)
	kept := int64(212) // of the first ticket; the second went back with its fee
	if err != nil || len(sum) != 1 || sum[0] != (order.Settlement{Currency: "EUR", Orders: 2, Taken: 7500, Fee: fee + kept,
		Owed: 7500 - fee - kept, Cash: -6559, Terminal: 15000 - 7500, Tax: strict.Tax(7500) + strict.Tax(941), Net: 7500 - fee - kept - 6559 + 7500 - strict.Tax(7500) - strict.Tax(941)}) {
		t.Errorf("settled %+v, %v", sum, err)
	}
	took, err := d.store.Takings(t.Context(), d.id, time.Time{}, time.Now().Add(time.Hour))
	if err != nil || fmt.Sprint(took) != "[{staff:rosa cash EUR 0 0 6559 -6559} {staff:rosa terminal EUR 1 15000 7500 7500}]" {
		t.Errorf("took %v, %v", took, err)
	}
	if took, err := d.store.Takings(t.Context(), d.id, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)); err != nil || len(took) != 0 {
		t.Errorf("later it took %v, %v", took, err)
	}
	if n := d.provider.held; n != 0 {
		t.Errorf("%d connections were held", n)
	}
	if again, err := d.Sell(t.Context(), d.atCounter(d.counterHold(3, 4), order.Cash)); err != nil || again.ID == o.ID {
		t.Errorf("the places again: %+v, %v", again, err)
	}
	d.consistent()
}

func TestBadCounterSalesChangeNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	good := d.atCounter(d.counterHold(3, 4), order.Cash)
	fans := d.hold("s1", 7)
	before := d.state()
	for name, c := range map[string]struct {
		change func(*order.CounterSale)
		want   error
	}{
		"no key":            {func(c *order.CounterSale) { c.Key = "" }, order.ErrKeyMissing},
		"no such hold":      {func(c *order.CounterSale) { c.Hold = uuid.NewString() }, hold.ErrUnknown},
		"hold is no id":     {func(c *order.CounterSale) { c.Hold = "*" }, hold.ErrUnknown},
		"a fan's hold":      {func(c *order.CounterSale) { c.Hold = fans.ID }, hold.ErrUnknown},
		"no tender":         {func(c *order.CounterSale) { c.Tender = "" }, order.ErrTender},
		"tender of SQL":     {func(c *order.CounterSale) { c.Tender = "'; drop table orders; --" }, order.ErrTender},
		"e-mail with break": {func(c *order.CounterSale) { c.Email = "a@b.c\r\nBcc: x@y.z" }, order.ErrEmail},
		"another price":     {func(c *order.CounterSale) { c.Total = booking.Money{Amount: 1, Currency: "EUR"} }, order.ErrPrice},
		"another currency":  {func(c *order.CounterSale) { c.Total = booking.Money{Amount: 15000, Currency: "USD"} }, order.ErrPrice},
		"price of nothing": {func(c *order.CounterSale) {
			c.Tender, c.Total = order.Complimentary, booking.Money{Amount: 15000, Currency: "EUR"}
		}, order.ErrPrice},
		"no such performance":  {func(c *order.CounterSale) { c.Performance = "x" }, nil},
		"unknown, but an uuid": {func(c *order.CounterSale) { c.Performance = "00000000-0000-7000-8000-000000000000" }, nil},
	} {
		bad := good
		c.change(&bad)
		if _, err := d.Sell(t.Context(), bad); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("something changed:\nfrom %s\nto   %s", before, after)
	}
	// Nor may a fan pay with what only the counter has.
	for _, method := range []string{"cash", "complimentary"} {
		r := d.request(fans, method)
		if _, err := d.Checkout(t.Context(), r); !errors.Is(err, order.ErrMethod) {
			t.Errorf("a fan pays with %s: %v", method, err)
		}
	}
	r := d.request(hold.Hold{ID: good.Hold, Session: order.CounterSession(good.Hold)}, sandbox.OK)
	r.Session = "s1"
	if _, err := d.Checkout(t.Context(), r); !errors.Is(err, hold.ErrUnknown) {
		t.Errorf("a fan pays for what the counter holds: %v", err)
	}
	good.Email = "fan@example.org"
	if o, err := d.Sell(t.Context(), good); err != nil || o.Email != good.Email {
		t.Errorf("the good one: %+v, %v", o, err)
	}
}

// The process dies at every step of a sale; a restart brings it to an end, also if
// Redis lost everything, and the provider is never asked.
func TestCounterCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ at, left, end string }{
		{"before script 1", "attempts started; orders -; tickets -; payments -; ledger -; redis sold 0 held", untouched},
		{"after script 1", "attempts started; orders -; tickets -; payments -; ledger -; redis sold 0 paying", untouched},
		{"before script 2", "attempts captured; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,captured; redis sold 0 paying", soldAtCounter},
		{"after script 2", "attempts captured; orders paid; tickets 3:valid,4:valid; payments -; ledger placed,captured; redis sold 2", soldAtCounter},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Redis lost %v", c.at, lost), func(t *testing.T) {
				t.Parallel()
				d := open(t)
				s := d.atCounter(d.counterHold(3, 4), order.Cash)
				d.dies(c.at, func() { _, _ = d.Sell(t.Context(), s) })
				d.want(c.left)
				if lost {
					d.loseRedis()
				}
				d.rebuild()
				d.settle(1)
				end := c.end
				if end == untouched && !lost {
					end += " held"
				}
				d.want(end)
				d.consistent()
				d.settle(0)
				o, err := d.Sell(t.Context(), s)
				if c.end == soldAtCounter && (err != nil || o.State != order.Paid) || c.end == untouched && !errors.Is(err, order.ErrFailed) {
					t.Errorf("asked again: %+v, %v", o, err)
				}
				if len(d.provider.calls) > 0 {
					t.Errorf("the provider was asked %v", d.provider.calls)
				}
			})
		}
	}
}

// Counter and web sell from one inventory at once: each unit goes to one of them,
// and neither to two, whatever Redis says.
func TestCounterAndWebSellEachUnitOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	var sold, lost atomic.Int32
	var g errgroup.Group
	g.SetLimit(16)
	for i := range 40 {
		g.Go(func() error {
			w := d.wish(fmt.Sprint("s", i))
			if i%2 == 0 {
				w.Session = order.CounterSession(w.ID)
			}
			h, err := d.holds.Any(t.Context(), w, 1, d.floor()) // 20 places
			if errors.Is(err, hold.ErrSoldOut) {
				lost.Add(1)
				return nil
			}
			if err == nil && i%2 == 0 {
				_, err = d.Sell(t.Context(), d.atCounter(h, order.Cash))
			} else if err == nil {
				_, err = d.Checkout(t.Context(), d.request(h, sandbox.OK))
			}
			if err == nil {
				sold.Add(1)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if sold.Load() != 20 || lost.Load() != 20 {
		t.Errorf("%d sold, %d too late", sold.Load(), lost.Load())
	}
	d.count(`select count(distinct unit) from tickets where state = 'valid'`, 20)
	d.audited()

	// Redis would sell a unit again: Postgres does not.
	o := d.buys("s-last", 3)
	d.must(d.rdb.SetBit(t.Context(), inventory.KeysOf(d.id).Taken(), 3, 0).Err())
	if _, err := d.Sell(t.Context(), d.atCounter(d.counterHold(3), order.Cash)); !errors.Is(err, hold.ErrUnitsTaken) {
		t.Errorf("sold again: %v", err)
	}
	d.count(`select count(*) from tickets where unit = 3 and state = 'valid' and order_id = '`+o.ID+`'`, 1)
}
