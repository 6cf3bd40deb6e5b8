package order_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// swaps lets tickets be exchanged until a minute before the start, for 2.00 each, and
// canceled for a tenth.
var swaps = tariff.Tariff{FeeRate: 250, FeeFixed: 49, TaxRate: 1900, Refund: tariff.Refund{Before: 60, KeepRate: 1000},
	Exchange: tariff.Exchange{Before: 60, Fee: 200}}

// A place costs 75.00 at units 0 to 19, 55.00 to 31, 35.00 to 39 and 45.00 from 40 on.
const dear, fair, cheap = 0, 20, 32

// twice is a sale with a second performance.
func twice(t *testing.T, rules tariff.Tariff) (*desk, ropeline.PerformanceID) {
	t.Helper()
	d := open(t)
	other := d.another()
	_, err := d.db.Exec(t.Context(), `update sale_performances set sale_id = $1`, d.sale)
	d.must(err)
	_, err = d.db.Exec(t.Context(), `update performances set tariff = $1`, rules)
	d.must(err)
	d.shows = catalogue.New(d.db, time.Now)
	d.store = order.NewStore(d.db, d.shows)
	d.Desk = d.deskOn(d.store, d.shows)
	return d, other.id
}

func wishFor(o order.Order, tickets ...int) order.Exchange {
	x := order.Exchange{Order: o.ID, Key: uuid.NewString(), Method: sandbox.OK, Who: order.Buyer}
	for _, i := range tickets {
		x.Tickets = append(x.Tickets, o.Tickets[i].ID)
	}
	return x
}

// quoted holds units for an exchange.
func (d *desk) quoted(x *order.Exchange, to ropeline.PerformanceID, units ...int) order.Quote {
	d.t.Helper()
	q, err := d.HoldExchange(d.t.Context(), *x, to, []hold.Part{hold.These(units)})
	if err != nil {
		d.t.Fatal(err)
	}
	x.Hold = q.Hold.ID
	return q
}

func (d *desk) exchanges(o order.Order, i int, to ropeline.PerformanceID, unit int) order.Order {
	d.t.Helper()
	x := wishFor(o, i)
	d.quoted(&x, to, unit)
	n, err := d.Exchange(d.t.Context(), x)
	if err != nil || n.State != order.Paid {
		d.t.Fatalf("exchanged for %+v, %v", n, err)
	}
	return n
}

// adds checks every performance, and that each payment has as much left at the provider
// as all ledgers say.
func (d *desk) adds() {
	d.t.Helper()
	ids, err := d.shows.Performances(d.t.Context())
	d.must(err)
	for _, id := range ids {
		e := *d
		e.id = id
		e.consistent()
	}
	d.count(`select (select coalesce(sum(case entry when 'captured' then amount when 'refund_returned' then amount when 'refunded' then -amount end), 0) from order_ledger)
		- (select coalesce(sum(amount - refunded), 0) from sandbox_payments where state = 'captured')`, 0)
	d.count(`select coalesce(sum(case entry when 'exchanged_in' then amount when 'exchanged_out' then -amount end), 0) from order_ledger`, 0)
	d.count(`select count(*) from sandbox_payments p where refunded <> (select coalesce(sum(amount), 0) from cancellations c where c.attempt_id = p.attempt_id and state = 'refunded')
		and not exists (select from payment_troubles t where t.attempt_id = p.attempt_id)`, 0)
}

func TestExchangeForADearerTicketTakesTheDifference(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, swaps)
	o := d.buys("s1", cheap, cheap+1)
	x := wishFor(o, 0)
	q := d.quoted(&x, d.id, dear)
	if q.Total.Amount != 7500 || q.Fee != 200 || q.Worth != 3300 || q.ToPay != 4200 || q.Back != 0 {
		t.Fatalf("quote %+v", q)
	}
	x.Total = booking.Money{Amount: 4200, Currency: "EUR"}
	var n order.Order
	for i := range 3 { // a repeat changes nothing
		again, err := d.Exchange(t.Context(), x)
		if err != nil || again.State != order.Paid || again.Total.Amount != 7500 || again.Email != o.Email || len(again.Tickets) != 1 ||
			again.Tickets[0].Unit != dear || again.Tickets[0].State != ticket.Valid || i > 0 && fmt.Sprint(again) != fmt.Sprint(n) {
			t.Fatalf("exchange %d: %+v, %v\nbefore %+v", i, again, err, n)
		}
		n = again
	}
	d.want("attempts done,done; orders paid,paid; tickets 0:valid,32:canceled,33:valid; payments captured,captured; " +
		"ledger placed,authorized,captured,fee,placed,authorized,captured,fee,exchanged_in,canceled,kept,fee_returned,exchanged_out; redis sold 2")
	d.entries("placed 7000 buyer, authorized 7000 buyer, captured 7000 system, fee 224 system, " +
		"placed 7500 buyer, authorized 4200 buyer, captured 4200 system, fee 237 system, exchanged_in 3300 buyer, " +
		"canceled 3500 buyer, kept 200 buyer, fee_returned 112 buyer, exchanged_out 3300 buyer")
	d.adds()
	if d.provider.held != 0 {
		t.Errorf("%d pooled connections were held during calls of the provider", d.provider.held)
	}
	if got := d.provider.calls[2:]; !slices.Equal(got, []string{"authorize", "capture"}) {
		t.Errorf("provider was called %v", got)
	}
	r, err := d.Receipt(t.Context(), n.ID)
	if err != nil || len(r.From) != 1 || r.From[0].Order != o.ID || r.From[0].Amount != 3300 || len(r.To) != 0 {
		t.Errorf("receipt %+v, %v", r, err)
	}
	if r, err = d.Receipt(t.Context(), o.ID); err != nil || len(r.To) != 1 || r.To[0].Order != n.ID || r.To[0].Amount != 3300 || len(r.From) != 0 {
		t.Errorf("receipt of the old one %+v, %v", r, err)
	}
	d.buys("s2", cheap) // it is for sale again
	// The old order is canceled with its last ticket only.
	n2 := d.exchanges(o, 1, d.id, dear+1)
	if now, err := d.store.Order(t.Context(), o.ID); err != nil || now.State != order.Canceled {
		t.Errorf("the old order: %+v, %v", now, err)
	}
	d.count(`select count(*) from tickets where order_id = '`+n2.ID+`' and state = 'valid'`, 1)
	d.adds()
}

func TestExchangeForACheaperTicketGivesTheDifferenceBack(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	o := d.buys("s1", dear)
	x := wishFor(o, 0)
	x.Method = "" // nothing is to pay
	if q := d.quoted(&x, other, cheap); q.ToPay != 0 || q.Back != 7300-3500 {
		t.Fatalf("quote %+v", q)
	}
	n, err := d.Exchange(t.Context(), x)
	if err != nil || n.State != order.Paid || n.Performance != other || n.Total.Amount != 3500 {
		t.Fatalf("exchanged for %+v, %v", n, err)
	}
	d.count(`select refunded from sandbox_payments`, 3800)
	d.adds()
	sums := map[ropeline.PerformanceID]order.Settlement{}
	for _, id := range []ropeline.PerformanceID{d.id, other} {
		list, err := d.store.Settle(t.Context(), id)
		if err != nil || len(list) != 1 {
			t.Fatalf("settlement %+v, %v", list, err)
		}
		sums[id] = list[0]
	}
	// 2.00 of the old, and the new one less its fee of 1.37.
	if a, b := sums[d.id], sums[other]; a.Exchanged != -3500 || b.Exchanged != 3500 || a.Owed != 200 || b.Owed != 3500-137 || a.Fee != 0 || b.Fee != 137 ||
		a.Taken != 7500 || a.Refunded != 3800 || b.Taken != 0 || a.ToRefund+b.ToRefund != 0 {
		t.Errorf("settlements %+v", sums)
	}
	// What the new one is canceled for comes of the old payment, by the rules.
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: n.ID, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	d.count(`select refunded from sandbox_payments`, 3800+3150)
	d.adds()
}

// What came by several exchanges goes back to the payments that it came from.
func TestMoneyOfExchangesGoesBackWhereItCameFrom(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	o := d.buys("s1", cheap)                    // 35.00
	second := d.exchanges(o, 0, other, dear)    // for 75.00: 42.00 more
	third := d.exchanges(second, 0, d.id, fair) // for 55.00: 18.00 go back
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: third.ID, Who: order.Staff("ann"), Reason: "fire", Full: true}); err != nil {
		t.Fatal(err)
	}
	d.adds()
	for amount, refunded := range map[int]int{3500: 3300, 4200: 1800 + 2200} { // but for twice 2.00
		d.count(fmt.Sprintf(`select refunded from sandbox_payments where amount = %d`, amount), refunded)
	}
	if list, err := d.store.Cancellations(t.Context(), third); err != nil || len(list) != 3 || list[0].Amount.Amount != 0 ||
		list[1].Amount.Amount+list[2].Amount.Amount != 5500 || len(list[0].Units) != 1 || len(list[1].Units)+len(list[2].Units) != 0 {
		t.Errorf("cancellations %+v, %v", list, err)
	}
	d.buys("s2", fair)
}

func TestExchangeIsRefused(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	stranger := d.another() // of another sale
	o, foreign := d.buys("s1", cheap, cheap+1, cheap+2), d.buys("s2", cheap+3)
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Tickets: []string{o.Tickets[2].ID}, Who: order.Buyer}); err != nil {
		t.Fatal(err)
	}
	held := d.hold("s3", dear)
	before := d.state()
	for name, c := range map[string]struct {
		change func(*order.Exchange)
		to     ropeline.PerformanceID
		units  []int
		want   error
	}{
		"no such order":      {func(x *order.Exchange) { x.Order = uuid.NewString() }, d.id, []int{fair}, order.ErrUnknown},
		"no ticket":          {func(x *order.Exchange) { x.Tickets = nil }, d.id, []int{fair}, order.ErrTicketsGone},
		"another's ticket":   {func(x *order.Exchange) { x.Tickets = []string{foreign.Tickets[0].ID} }, d.id, []int{fair}, order.ErrTicketUnknown},
		"canceled ticket":    {func(x *order.Exchange) { x.Tickets = []string{o.Tickets[2].ID} }, d.id, []int{fair}, order.ErrTicketsGone},
		"ticket of SQL":      {func(x *order.Exchange) { x.Tickets = []string{"'; drop table tickets; --"} }, d.id, []int{fair}, order.ErrTicketUnknown},
		"more places":        {nil, d.id, []int{fair, fair + 1}, order.ErrExchangeCount},
		"fewer places":       {func(x *order.Exchange) { x.Tickets = append(x.Tickets, o.Tickets[1].ID) }, d.id, []int{fair}, order.ErrExchangeCount},
		"another sale":       {nil, stranger.id, []int{fair}, order.ErrExchangeElsewhere},
		"a sold place":       {nil, d.id, []int{cheap + 3}, hold.ErrUnitsTaken},
		"a held place":       {nil, d.id, []int{dear}, hold.ErrUnitsTaken},
		"its own place":      {nil, d.id, []int{cheap}, hold.ErrUnitsTaken},
		"no such show":       {nil, ropeline.PerformanceID(uuid.NewString()), []int{fair}, catalogue.ErrPerformanceUnknown},
		"ticket named twice": {func(x *order.Exchange) { x.Tickets = append(x.Tickets, x.Tickets[0]) }, other, []int{fair, fair + 1}, order.ErrExchangeCount},
	} {
		x := wishFor(o, 0)
		if c.change != nil {
			c.change(&x)
		}
		if q, err := d.HoldExchange(t.Context(), x, c.to, []hold.Part{hold.These(c.units)}); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", name, q, err, c.want)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("something changed:\nfrom %s\nto   %s", before, after)
	}
	good := wishFor(o, 0)
	d.quoted(&good, other, dear)
	calls := len(d.provider.calls)
	for name, c := range map[string]struct {
		change func(*order.Exchange)
		want   error
	}{
		"no key":         {func(x *order.Exchange) { x.Key = "" }, order.ErrKeyMissing},
		"no hold":        {func(x *order.Exchange) { x.Hold = uuid.NewString() }, hold.ErrUnknown},
		"another's hold": {func(x *order.Exchange) { x.Hold = held.ID }, hold.ErrUnknown},
		"no method":      {func(x *order.Exchange) { x.Method = "" }, order.ErrMethod},
		"a card number":  {func(x *order.Exchange) { x.Method = "card_4242424242424242" }, order.ErrMethod},
		"another price":  {func(x *order.Exchange) { x.Total = booking.Money{Amount: 1, Currency: "EUR"} }, order.ErrPrice},
		"another count":  {func(x *order.Exchange) { x.Tickets = append(x.Tickets, o.Tickets[1].ID) }, order.ErrExchangeCount},
		"of another":     {func(x *order.Exchange) { x.Order, x.Tickets = foreign.ID, []string{foreign.Tickets[0].ID} }, hold.ErrUnknown},
		"bad return":     {func(x *order.Exchange) { x.Return = "javascript:alert(1)" }, order.ErrReturn},
	} {
		x := good
		x.Tickets = slices.Clone(good.Tickets)
		c.change(&x)
		if n, err := d.Exchange(t.Context(), x); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", name, n, err, c.want)
		}
	}
	if len(d.provider.calls) != calls {
		t.Errorf("the provider was called: %v", d.provider.calls[calls:])
	}
	if _, err := d.db.Exec(t.Context(), `update performances set starts_at = now() + interval '59 s'`); err != nil {
		t.Fatal(err)
	}
	late := d.deskOn(d.store, catalogue.New(d.db, time.Now))
	if _, err := late.Exchange(t.Context(), good); !errors.Is(err, order.ErrExchangeClosed) {
		t.Errorf("too late: %v", err)
	}
	// Staff are not bound by the time, and may let go of the fee.
	good.Who, good.Reason, good.NoFee = order.Staff("ann"), "a mistake", true
	if n, err := late.Exchange(t.Context(), good); err != nil || n.State != order.Paid {
		t.Errorf("staff: %+v, %v", n, err)
	}
	d.count(`select count(*) from order_ledger where entry = 'kept' and who = 'staff:ann'`, 0)
	d.count(`select amount from order_ledger where entry = 'exchanged_out' and who = 'staff:ann'`, 3500)
	d.adds()
	none := openBy(t, strict) // cancels, and exchanges nothing
	if _, err := none.HoldExchange(t.Context(), wishFor(none.buys("s1", dear), 0), none.id, []hold.Part{hold.These([]int{fair})}); !errors.Is(err, order.ErrExchangeClosed) {
		t.Errorf("without rules: %v", err)
	}
}

// Whoever looks for something better on another night, and is too late, has still what was
// held for them before. It was once given up first.
func TestAWishThatFailsGivesUpNothingOfAnotherNight(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	o := d.buys("s1", cheap)
	d.hold("s2", dear)
	x := wishFor(o, 0)
	d.quoted(&x, other, fair)
	for want, c := range map[error]struct {
		to    ropeline.PerformanceID
		units []int
	}{
		hold.ErrUnitsTaken:     {d.id, []int{dear}},
		order.ErrExchangeCount: {other, []int{fair, fair + 1}},
	} {
		if q, err := d.HoldExchange(t.Context(), x, c.to, []hold.Part{hold.These(c.units)}); !errors.Is(err, want) {
			t.Errorf("%+v, %v, want %v", q, err, want)
		}
		if h, err := d.holds.Get(t.Context(), other, x.Hold, "exchange-"+o.ID); err != nil || h.State != hold.Held {
			t.Fatalf("%v took what was held: %+v, %v", want, h, err)
		}
	}
	d.quoted(&x, other, fair+1) // takes its place
	before := x
	d.quoted(&x, d.id, fair) // and this one that of the other night
	if _, err := d.Exchange(t.Context(), before); !errors.Is(err, hold.ErrReleased) {
		t.Errorf("for what was given up: %v", err)
	}
	if n, err := d.Exchange(t.Context(), x); err != nil || n.State != order.Paid {
		t.Errorf("%+v, %v", n, err)
	}
	d.adds()
}

// A card that is declined leaves the old ticket and the hold; another card works, and
// one that has to be confirmed is given up for it.
func TestADeclinedExchangeChangesNothing(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, swaps)
	o := d.buys("s1", cheap)
	x := wishFor(o, 0)
	d.quoted(&x, d.id, dear)
	x.Method = sandbox.Declined
	for range 2 {
		if _, err := d.Exchange(t.Context(), x); !errors.Is(err, order.ErrDeclined) {
			t.Fatalf("declined: %v", err)
		}
	}
	d.want("attempts done,closed; orders paid; tickets 32:valid; payments captured,declined; ledger placed,authorized,captured,fee; redis sold 1 held")
	if _, err := d.Exchange(t.Context(), changed(x, func(x *order.Exchange) { x.Method = sandbox.OK })); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("another card with the same key: %v", err)
	}
	x.Key, x.Method, x.Return = "acting", sandbox.Action, "https://shop.example/back"
	acting, err := d.Exchange(t.Context(), x)
	if err != nil || acting.State != order.Pending || acting.Action == "" {
		t.Fatalf("to be confirmed: %+v, %v", acting, err)
	}
	// Meanwhile the old ticket is valid, and bound.
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Buyer}); !errors.Is(err, order.ErrExchanging) {
		t.Errorf("canceling what is being exchanged: %v", err)
	}
	if _, err := d.HoldExchange(t.Context(), wishFor(o, 0), d.id, []hold.Part{hold.These([]int{fair})}); !errors.Is(err, order.ErrExchanging) {
		t.Errorf("exchanging it twice: %v", err)
	}
	d.count(`select count(*) from tickets where unit = 32 and state = 'valid'`, 1)
	x.Key, x.Method = "ok", sandbox.OK
	if n, err := d.Exchange(t.Context(), x); err != nil || n.State != order.Paid {
		t.Fatalf("another card: %+v, %v", n, err)
	}
	d.settleAll()
	d.count(`select count(*) from tickets where state = 'valid'`, 1)
	d.adds()
}

func changed(x order.Exchange, change func(*order.Exchange)) order.Exchange {
	change(&x)
	return x
}

// What is confirmed at the bank ends the same, and what is not in time leaves the old
// ticket: money that comes too late goes back, though the place is free.
func TestAnExchangeIsConfirmedOrNot(t *testing.T) {
	t.Parallel()
	for _, confirm := range []bool{true, false} {
		rules := swaps
		rules.Exchange.Fee = 10_000 // nothing is left of the old one: the new one costs what it costs
		d, _ := twice(t, rules)
		o := d.buys("s1", cheap)
		x := wishFor(o, 0)
		if q := d.quoted(&x, d.id, dear); q.Worth != 0 || q.Fee != 3500 || q.ToPay != 7500 {
			t.Errorf("quote %+v", q)
		}
		x.Method, x.Return = sandbox.Action, "https://shop.example/back"
		if _, err := d.Exchange(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		var attempt string
		d.must(d.db.QueryRow(t.Context(), `select id from attempts where state = 'acting'`).Scan(&attempt))
		valid := cheap
		if confirm {
			d.must(d.sandbox().Confirm(t.Context(), payment.Charge{Attempt: attempt}, true))
			valid = dear
			if n, err := d.Exchange(t.Context(), x); err != nil || n.State != order.Paid {
				t.Errorf("back from the bank: %+v, %v", n, err)
			}
		} else {
			_, err := d.settler().At(func() time.Time { return time.Now().Add(time.Hour) }).Settle(t.Context())
			d.must(err)
			d.takenByHand(payment.Captured)
			late := payment.Event{ID: "evt_late", About: payment.AboutPayment, Attempt: attempt, State: payment.Captured, At: time.Now()}
			if _, heard, err := d.Hear(t.Context(), late); heard != order.HeardNow || err != nil {
				t.Errorf("late money: %s, %v", heard, err)
			}
			d.troubled("late:refunded")
		}
		d.settleAll()
		d.count(`select count(*) from tickets where state = 'valid'`, 1)
		d.count(`select unit from tickets where state = 'valid'`, valid)
		d.refunds()
		d.adds()
	}
}

// The process dies at every step of an exchange: the worker brings it to an end at
// which either the old ticket is valid or the new one, whatever Redis has lost, and
// the buyer who asks again is told which.
func TestCrashAtEveryStepOfAnExchange(t *testing.T) {
	t.Parallel()
	type way struct{ from, to int }
	up, down := way{cheap, dear}, way{dear, cheap}
	for i, c := range []struct {
		at string
		way
		through bool // it goes forward
	}{
		{"before script 1", up, false}, {"after script 1", up, false}, {"before authorize", up, false}, {"after authorize", up, false},
		{"before capture", up, true}, {"after capture", up, true}, {"before the script", up, true}, {"after the script", up, true},
		{"before script 2", up, true}, {"after script 2", up, true},
		{"before script 1", down, false}, {"after script 1", down, false}, {"before the script", down, true}, {"after the script", down, true},
		{"before refund", down, true}, {"after refund", down, true}, {"before script 2", down, true}, {"after script 2", down, true},
	} {
		lost := i%2 == 1
		t.Run(fmt.Sprintf("%s, from %d to %d, Redis lost %v", c.at, c.from, c.to, lost), func(t *testing.T) {
			t.Parallel()
			d, _ := twice(t, swaps)
			o := d.buys("s1", c.from)
			x := wishFor(o, 0)
			d.quoted(&x, d.id, c.to)
			d.dies(c.at, func() { _, _ = d.Exchange(context.Background(), x) })
			d.count(`select count(*) from tickets where state = 'valid'`, 1)
			if lost {
				d.loseRedis()
			}
			d.rebuild()
			d.settleAll()
			d.refunds()
			d.count(`select count(*) from tickets where state = 'valid'`, 1)
			valid := c.from
			n, err := d.Exchange(t.Context(), x)
			if c.through {
				valid = c.to
				if err != nil || n.State != order.Paid {
					t.Errorf("asked again: %+v, %v", n, err)
				}
			} else if !errors.Is(err, order.ErrFailed) {
				t.Errorf("asked again: %v, want payment-failed", err)
			}
			d.count(`select unit from tickets where state = 'valid'`, valid)
			d.adds()
			if !c.through && !lost { // the hold is the buyer's still
				x.Key = uuid.NewString()
				if n, err = d.Exchange(t.Context(), x); err != nil || n.State != order.Paid {
					t.Errorf("with a new key: %+v, %v", n, err)
				}
				d.refunds()
				d.adds()
			}
		})
	}
}

// Something else made the old ticket invalid while the money was captured: the new
// one never becomes valid, and the money goes back.
func TestAnExchangeOfWhatIsGoneIsUndone(t *testing.T) {
	t.Parallel()
	d, _ := twice(t, swaps)
	o := d.buys("s1", cheap)
	x := wishFor(o, 0)
	d.quoted(&x, d.id, dear)
	d.provider.after = func(call string) error {
		if call == "capture" {
			_, err := d.db.Exec(context.Background(), `update tickets set state = 'canceled' where unit = 32`)
			return err
		}
		return nil
	}
	for range 2 {
		if n, err := d.Exchange(t.Context(), x); !errors.Is(err, order.ErrTicketsGone) {
			t.Errorf("exchanged for %+v, %v", n, err)
		}
	}
	d.count(`select count(*) from tickets where state = 'valid'`, 0)
	d.count(`select refunded from sandbox_payments where amount = 4200`, 4200)
	d.count(`select count(*) from payment_troubles where kind = 'late' and state = 'refunded'`, 1)
	if bad, _, err := d.store.Audit(t.Context(), d.id); err != nil || len(bad) > 0 {
		t.Errorf("ledger: %v, %v", bad, err)
	}
}

// Who pays with what is asked back, and exchanges what they bought, has no ticket
// either; nor is one exchanged while that is decided.
func TestADisputeFollowsWhatWasExchanged(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	o := d.buysBy(sandbox.DisputeLost, "s1", cheap, cheap+1)
	n := d.exchanges(o, 0, other, dear)
	late := wishFor(o, 1)
	d.quoted(&late, d.id, dear)
	told := false
	d.provider.after = func(call string) error {
		if call == "capture" && !told { // the bank's word comes while the second one is paid for
			told = true
			for _, e := range d.eventsOf(o) {
				d.hear(e, order.HeardNow)
			}
		}
		return nil
	}
	if _, err := d.Exchange(t.Context(), late); !errors.Is(err, order.ErrTicketsGone) {
		t.Errorf("exchanged what is in dispute: %v", err)
	}
	d.provider.after = nil
	d.settleAll()
	d.count(`select count(*) from tickets where state = 'blocked'`, 2)
	d.told() // it is lost
	d.count(`select count(*) from tickets where state = 'void'`, 2)
	d.count(`select count(*) from tickets where state = 'valid'`, 0)
	if _, err := d.Cancel(t.Context(), order.Cancel{Order: n.ID, Who: order.Buyer}); !errors.Is(err, order.ErrDisputeLost) {
		t.Errorf("canceled: %v", err)
	}
	list := d.disputes()
	if len(list) != 1 || list[0].Order != o.ID || list[0].Void != 2 {
		t.Fatalf("staff see %+v", list)
	}
	if now, err := d.Release(t.Context(), list[0].ID, order.Staff("ann"), "sell them"); err != nil || now.Void != 0 {
		t.Errorf("released: %+v, %v", now, err)
	}
	d.buys("s2", cheap+1)
	e := *d
	e.id = other
	e.hold("s3", dear)
	for _, id := range []ropeline.PerformanceID{d.id, other} {
		e.id = id
		e.consistent()
	}
}

// eventsOf tells of the disputes of an order's payment.
func (d *desk) eventsOf(o order.Order) (events []payment.Event) {
	d.t.Helper()
	var attempt string
	d.must(d.db.QueryRow(d.t.Context(), `select attempt_id from orders where id = $1`, o.ID).Scan(&attempt))
	for found, err := range d.sandbox().Disputes(d.t.Context(), "", time.Unix(0, 0)) {
		d.must(err)
		if found.Attempt == attempt {
			events = append(events, payment.Event{ID: "evt_" + found.Ref, About: payment.AboutDispute, Dispute: found.Ref, Ref: found.Payment, At: time.Now()})
		}
	}
	return events
}

// Many exchange and cancel the same ticket at once: one of them does.
func TestManyExchangeOneTicket(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	o := d.buys("s1", cheap)
	x := wishFor(o, 0)
	d.quoted(&x, other, dear)
	var g errgroup.Group
	var paid, canceled atomic.Int32
	for i := range 12 {
		g.Go(func() error {
			if i%4 == 3 {
				_, err := d.Cancel(context.Background(), order.Cancel{Order: o.ID, Who: order.Buyer})
				if err == nil {
					canceled.Add(1)
				} else if !errors.Is(err, order.ErrExchanging) {
					return err
				}
				return nil
			}
			_, err := d.Exchange(context.Background(), changed(x, func(x *order.Exchange) { x.Key = fmt.Sprint("k", i) }))
			switch {
			case err == nil:
				paid.Add(1)
			case errors.Is(err, order.ErrExchanging), errors.Is(err, order.ErrTicketsGone), errors.Is(err, hold.ErrPaying), errors.Is(err, hold.ErrSold):
			default:
				return err
			}
			return nil
		})
	}
	d.must(g.Wait())
	d.settleAll()
	d.refunds()
	if paid.Load() > 1 {
		t.Errorf("%d exchanges of one ticket", paid.Load())
	}
	var valid int
	d.must(d.db.QueryRow(t.Context(), `select count(*) from tickets where state = 'valid'`).Scan(&valid))
	if valid != int(paid.Load()) {
		t.Errorf("%d tickets are valid after %d exchanges and %d cancels", valid, paid.Load(), canceled.Load())
	}
	d.adds()
}

// Whatever is bought, exchanged and canceled in turns, by the rules or by staff, each
// ticket is somebody's once and every amount adds up.
func TestExchangesAndCancelsAddUp(t *testing.T) {
	t.Parallel()
	d, other := twice(t, swaps)
	random := rand.New(rand.NewPCG(7, 11))
	shows := []ropeline.PerformanceID{d.id, other}
	owns := map[ropeline.PerformanceID]map[int]bool{d.id: {}, other: {}} // the model
	var orders []order.Order
	for step := range 70 {
		to, unit := shows[random.IntN(2)], random.IntN(60)
		free := !owns[to][unit]
		kind := random.IntN(4)
		if len(orders) < 3 {
			kind = 0
		}
		if kind == 0 {
			if free && !owns[d.id][unit] {
				orders = append(orders, d.buys(fmt.Sprint("s", step), unit))
				owns[d.id][unit] = true
			}
			continue
		}
		i := random.IntN(len(orders))
		o := orders[i]
		had := o.Tickets[0].Unit
		if kind == 1 {
			_, err := d.Cancel(t.Context(), order.Cancel{Order: o.ID, Who: order.Staff("ann"), Reason: "so", Full: random.IntN(2) == 0})
			d.must(err)
			orders = slices.Delete(orders, i, i+1)
			delete(owns[o.Performance], had)
			continue
		}
		x := wishFor(o, 0)
		q, err := d.HoldExchange(t.Context(), x, to, []hold.Part{hold.These([]int{unit})})
		if free != (err == nil) || !free && !errors.Is(err, hold.ErrUnitsTaken) {
			t.Fatalf("step %d: unit %d is free: %v, %v", step, unit, free, err)
		}
		if !free {
			continue
		}
		x.Hold = q.Hold.ID
		if orders[i], err = d.Exchange(t.Context(), x); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		delete(owns[o.Performance], had)
		owns[to][unit] = true
	}
	d.refunds()
	d.adds()
	for id, units := range owns {
		var valid []int
		d.must(d.db.QueryRow(t.Context(), `select coalesce(array_agg(unit), '{}') from tickets where performance_id = $1 and state = 'valid'`, id).Scan(&valid))
		if len(valid) != len(units) || slices.ContainsFunc(valid, func(u int) bool { return !units[u] }) {
			t.Errorf("valid are %v, want %v", valid, units)
		}
		list, err := d.store.Settle(t.Context(), id)
		if err != nil || len(list) != 1 {
			t.Fatalf("settlement %+v, %v", list, err)
		}
		e := *d
		e.id = id
		e.count(fmt.Sprintf(`select (select coalesce(sum(amount), 0) from tickets where performance_id = '%[1]s' and state = 'valid')
			+ (select coalesce(sum(case entry when 'kept' then amount when 'fee' then -amount when 'fee_returned' then amount end), 0)
				from order_ledger where performance_id = '%[1]s')`, id), int(list[0].Owed))
	}
}
