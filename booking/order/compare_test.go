package order_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// compare compares everything, however new, and checks how many payments there were.
func (d *desk) compare(want int) {
	d.t.Helper()
	if n, err := d.settler().At(time.Now).Compare(d.t.Context(), 0); n != want || err != nil {
		d.t.Errorf("compared %d payments, %v; want %d", n, err, want)
	}
}

// A webhook that never came, money for an attempt that failed: the list has it.
func TestComparisonFindsLateMoney(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.ranOut()
	d.compare(1)
	d.troubled("")
	d.takenByHand(payment.Captured)
	d.compare(1)
	d.want(reseated)
	d.compare(1)
	d.troubled("late:reseated")
	d.free()
}

func TestComparisonFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	d.compare(1)
	d.troubled("")

	change := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.db.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	change(`update sandbox_payments set amount = amount + 1`)
	d.compare(1)
	d.troubled("amount:open")
	change(`update sandbox_payments set amount = amount - 1, state = 'voided'`)
	change(`delete from payment_troubles`)
	d.compare(1)
	d.compare(1)
	d.troubled("unpaid:open")
	d.want(strings.Replace(sold, "captured;", "voided;", 1))
	change(`update sandbox_payments set state = 'captured'`)
	d.compare(1)
	d.troubled("unpaid:gone")
	change(`update attempts set provider_ref = ''`) // it was never there
	change(`delete from sandbox_payments`)
	change(`delete from payment_troubles`)
	d.compare(0)
	d.count(`select count(*) from payment_troubles where kind = 'unpaid' and state = 'open'`, 1)

	change(`delete from payment_troubles`)
	for _, method := range []string{sandbox.OK, sandbox.Declined} {
		c := payment.Charge{Attempt: uuid.NewString(), Amount: d.price(), Method: method}
		if _, err := d.sandbox().Authorize(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	d.compare(2)
	d.compare(2)
	d.count(`select count(*) from payment_troubles where kind = 'unknown' and state = 'open'`, 1)
	change(`update sandbox_payments set state = 'voided'`)
	d.compare(2)
	d.count(`select count(*) from payment_troubles where kind = 'unknown' and state = 'gone'`, 1)
	d.free()
}

// One settler compares at a time, and the next goes on from where it ended.
func TestOneComparesAtATime(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.Checkout(t.Context(), d.request(d.hold("s1", 3, 4), sandbox.OK)); err != nil {
		t.Fatal(err)
	}
	var before, after time.Time
	until := `select until from payment_comparison`
	if err := d.db.QueryRow(t.Context(), until).Scan(&before); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		if n, err := d.settler().Compare(t.Context(), time.Hour); n != want || err != nil {
			t.Errorf("comparison %d: %d payments, %v; want %d", i, n, err, want)
		}
	}
	if err := d.db.QueryRow(t.Context(), until).Scan(&after); err != nil || !after.After(before) {
		t.Errorf("compared up to %v, before %v, %v", after, before, err)
	}
	// What was just made may be half done, and is left alone.
	d.takenByHand(payment.Voided)
	if n, err := d.settler().Compare(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("%d payments, %v", n, err)
	}
	d.troubled("")
}

// In whatever state a payment is at the provider, and an attempt with us, when
// they are compared: afterwards nobody has money without tickets.
func TestComparisonOfEveryStateWithEveryOther(t *testing.T) {
	t.Parallel()
	d := open(t)
	states := []payment.State{payment.NeedsAction, payment.Authorized, payment.Captured, payment.Voided, payment.Declined}
	steps := []order.Step{order.Started, order.Acting, order.Recorded, order.Captured, order.Done, order.Voiding, order.Closed}
	for i, step := range steps {
		for j, state := range states {
			d.attemptAt(step, state, i*len(states)+j)
		}
	}
	// What the settler has not settled yet is its own; then nothing is open.
	d.compare(len(states) * len(steps))
	late := d.settler().At(func() time.Time { return time.Now().Add(order.ActionLife + time.Second) })
	for range 3 {
		if _, err := late.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.compare(len(states) * len(steps))
	d.count(`select count(*) from attempts where state not in ('done', 'closed')`, 0)
	// Money is with whoever has tickets, or went back, or staff know.
	d.count(`select count(*) from sandbox_payments p join attempts a on a.id = p.attempt_id
		left join payment_troubles t on t.attempt_id = a.id and t.state = 'open'
		where t.attempt_id is null and (p.state in ('authorized', 'needs_action')
			or (p.state = 'captured' and p.refunded < p.amount) <> (a.state = 'done'))`, 0)
	d.count(`select count(*) from payment_troubles where kind = 'late' and state = 'open'`, 0)
}

// attemptAt makes an attempt at a step, whose payment the provider says is in a state.
func (d *desk) attemptAt(step order.Step, state payment.State, unit int) {
	d.t.Helper()
	ctx := d.t.Context()
	h := d.hold(fmt.Sprint("s", unit), unit)
	r := with(d.request(h, sandbox.Action), func(r *order.Request) { r.Return = back })
	if step == order.Started {
		d.crash(r, "after authorize")
	} else if _, err := d.Checkout(ctx, r); err != nil {
		d.t.Fatal(err)
	}
	var id string
	if err := d.db.QueryRow(ctx, `update sandbox_payments set state = $1 where attempt_id = (select id from attempts where hold_id = $2)
		returning attempt_id`, state, h.ID).Scan(&id); err != nil {
		d.t.Fatal(err)
	}
	orders, tickets := "pending", "unpaid"
	switch step {
	case order.Captured, order.Done:
		orders, tickets = "paid", "valid"
	case order.Voiding, order.Closed:
		orders, tickets = "canceled", "canceled"
	}
	for sql, args := range map[string][]any{
		`update attempts set state = $1, action = '' where id = $2`:                                           {step, id},
		`update orders set state = $1 where attempt_id = $2`:                                                  {orders, id},
		`update tickets set state = $1 where order_id in (select id from orders where attempt_id = $2::uuid)`: {tickets, id},
	} {
		if _, err := d.db.Exec(ctx, sql, args...); err != nil {
			d.t.Fatal(err)
		}
	}
	var err error
	switch step {
	case order.Done:
		err = d.holds.Sell(ctx, d.id, h.ID, id, h.Units)
	case order.Closed:
		err = d.holds.Unpay(ctx, d.id, h.ID, id, order.Grace)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) price() booking.Money { return booking.Money{Amount: 7500, Currency: "EUR"} }
