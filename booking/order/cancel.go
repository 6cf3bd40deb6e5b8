package order

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// Who acts, as the ledger says it.
const (
	System = "system"
	Buyer  = "buyer"
)

// Staff is a member of the staff, by the name of their key.
func Staff(name string) string { return "staff:" + name }

// Cancel is the wish to cancel tickets of an order that is paid. What the buyer
// gets back is up to the performance's rules.
type Cancel struct {
	Order   string
	Tickets []string // empty: all
	Who     string
	Holder  string // of a transfer, by whom it is that wants it; empty: the buyer, or staff
	Reason  string // of staff
	Full    bool   // staff only: the buyer gets back all that was paid
	Tender  Tender // how the money is given back at the counter; empty: by the provider
	Shown   *int64 // what the buyer was shown that comes back, minor units; nil: nothing was said
}

// Refusals of a cancel.
var (
	ErrTicketUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "ticket-unknown", Detail: "This order has no such ticket."}
	ErrNotPaid       = &ropeline.Error{Kind: ropeline.Conflict, Code: "order-not-paid", Detail: "This order is not paid yet. Wait until it is, or until its payment has failed."}
	ErrCancelClosed  = &ropeline.Error{Kind: ropeline.Conflict, Code: "cancel-closed", Detail: "By the rules of this performance its tickets cannot be canceled, or not any more."}
	ErrRefundLess    = &ropeline.Error{Kind: ropeline.Conflict, Code: "refund-changed", Detail: "Less comes back than you were shown. Nothing was done: look at it again."}
	ErrRefundUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "refund-unknown", Detail: "There is no such refund."}
	ErrDisputed      = &ropeline.Error{Kind: ropeline.Conflict, Code: "order-disputed", Detail: "The buyer's bank has asked for the money of this order. Nothing of it can be canceled or given back before that is decided."}
	ErrDisputeLost   = &ropeline.Error{Kind: ropeline.Conflict, Code: "order-dispute-lost", Detail: "The buyer's bank has got the money of this order back. There is nothing left to cancel."}
	ErrReason        = &ropeline.Error{Kind: ropeline.Invalid, Code: "reason-invalid", Detail: "Give a reason, of 1 to 200 characters in a line."}
)

// RefundState says how far the refund of a cancellation got.
type RefundState string

// The states of a refund. Of those that failed somebody has to see to.
const (
	RefundRunning RefundState = "refunding"
	RefundDone    RefundState = "refunded" // also if nothing was to be given back
	RefundFailed  RefundState = "failed"
)

// Cancellation is what a Cancel came to. Its refund is asked of the provider after
// it was written, until the provider has answered.
type Cancellation struct {
	ID          string
	Performance ropeline.PerformanceID
	Order       string
	Attempt     string                 // the payment that is given back of …
	PaidFor     ropeline.PerformanceID // … and what it was made for, which is another one after an exchange
	Place       ropeline.PlaceID
	Units       []int         // none, where another of the same time has them
	Amount      booking.Money // to the buyer
	Kept        int64
	Fee         int64 // of the platform's, to the organizer
	Who, Reason string
	State       RefundState
	Refund      string // our id of the refund
	Freed       bool   // Redis knows
	At, Changed time.Time
}

// Cancel cancels tickets and returns the order as it is then. Those that are
// canceled already stay so: a repeat is answered as the first time and costs
// nothing. Units are for sale again, and money is on its way, when it returns, or
// the worker sees to that.
func (d *Desk) Cancel(ctx context.Context, c Cancel) (Order, error) {
	o, err := d.store.Order(ctx, c.Order)
	if err != nil {
		return Order{}, err
	}
	p, err := d.catalogue.Performance(ctx, o.Performance)
	if err != nil {
		return Order{}, err
	}
	done, err := d.store.cancel(ctx, o, c, p, d.now(), d.coupons)
	if err != nil {
		return Order{}, err
	}
	d.followAll(ctx, done)
	return d.store.Order(ctx, o.ID)
}

// cancel writes it all in one transaction. Two that come at once wait for each
// other at the order's row.
func (s *Store) cancel(ctx context.Context, o Order, c Cancel, p catalogue.Performance, now time.Time, coupons Coupons) (done []Cancellation, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		done = nil
		o, err := lock(ctx, tx, o)
		if err != nil {
			return err
		}
		if err := c.fits(o.Tender); err != nil {
			return err
		}
		own := c.Who == Buyer || c.Who == Holder
		if own {
			if c.Tickets, err = o.theirs(c.Tickets, c.Holder); err != nil || len(c.Tickets) == 0 {
				return err
			}
		}
		picked, err := o.pick(c.Tickets)
		if err != nil || len(picked) == 0 {
			return err
		}
		if closes := p.Map.Tariff.Closes(p.Map.StartsAt); own && !now.Before(closes) {
			return ErrCancelClosed
		}
		rules := p.Map.Tariff.Refund
		if c.Full {
			rules = tariff.Refund{}
		}
		plan, err := draw(o, c, p.Map.Tariff, picked, func(p tariff.Part) tariff.Back {
			if rules.KeepFee {
				p.Fee = min(p.Fee, p.Paid)
			}
			return rules.Cancel(p)
		})
		if err == nil && c.Shown != nil && plan.Amount.Amount < *c.Shown {
			err = ErrRefundLess
		}
		if err != nil {
			return err
		}
		left, err := purses(ctx, tx, o)
		if err == nil {
			plan, err = plan.from(left)
		}
		if err != nil {
			return err
		}
		if coupons != nil {
			if err := coupons.TakeBack(ctx, tx, o.Performance, plan.tickets); err != nil {
				return err
			}
		}
		done = plan.all()
		return plan.write(ctx, tx)
	})
	if err != nil {
		return nil, ours("canceling tickets of", o.ID, err)
	}
	return done, nil
}

// ours is an error that is answered, or says that Postgres is away.
func ours(what, id string, err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*ropeline.Error](err); ours {
		return err
	}
	return away(what, id, err)
}

// locked is an order whose row, and whose tickets', are locked, read afresh.
type locked struct {
	Order
	attempt string
	owing   int64    // see there
	bound   []string // its tickets that are being exchanged
}

// lock holds an order's row, and those of its tickets. The door holds tickets and writes of them
// in the ledger, which takes the key of their order: that is left to it (no key update), or it
// would wait for us, who wait for a ticket.
func lock(ctx context.Context, tx pgx.Tx, o Order) (l locked, err error) {
	l.Order = o
	if err := tx.QueryRow(ctx, `select state, attempt_id from orders where performance_id = $1 and id = $2 for no key update`,
		o.Performance, o.ID).Scan(&l.State, &l.attempt); err != nil {
		return l, err
	}
	if err := keepTickets(ctx, tx, o.Performance, o.ID); err != nil {
		return l, err
	}
	if l.Tickets, err = ticketsOf(ctx, tx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID); err != nil {
		return l, err
	}
	if l.owing, err = owing(ctx, tx, o); err != nil {
		return l, err
	}
	l.bound, err = ids(ctx, tx, `
		select unnest(x.tickets)::text from exchanges x join attempts a on a.performance_id = x.performance_id and a.id = x.attempt_id
		where x.from_order = $1 and a.state in ('started', 'acting', 'recorded')`, o.ID)
	return l, err
}

// keepTickets holds the tickets of orders in the order of their ids, as the door does that
// decides on several together (door_scans).
func keepTickets(ctx context.Context, tx pgx.Tx, performance ropeline.PerformanceID, orders ...string) error {
	_, err := tx.Exec(ctx, `select from tickets where performance_id = $1 and order_id = any($2::uuid[]) order by id for no key update`, performance, orders)
	return err
}

// pick finds those of an order's tickets that are valid, among the named ones or
// among all.
func (l locked) pick(tickets []string) ([]int, error) {
	for _, id := range tickets {
		if !slices.ContainsFunc(l.Tickets, func(t Ticket) bool { return t.ID == id }) {
			return nil, ErrTicketUnknown
		}
	}
	if l.State == Pending {
		return nil, ErrNotPaid
	}
	var picked []int
	for i, t := range l.Tickets {
		if len(tickets) > 0 && !slices.Contains(tickets, t.ID) {
			continue
		}
		switch t.State {
		case ticket.Blocked:
			return nil, ErrDisputed
		case ticket.Void:
			return nil, ErrDisputeLost
		case ticket.Valid:
		default:
			continue
		}
		if slices.Contains(l.bound, t.ID) {
			return nil, ErrExchanging
		}
		picked = append(picked, i)
	}
	return picked, nil
}

// owing is what of an order's price is neither canceled nor given back by hand: no
// cancel comes to more.
func owing(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, o Order) (left int64, err error) {
	err = db.QueryRow(ctx, `
		select greatest(0, coalesce(sum(case entry when 'placed' then amount when 'canceled' then -amount when 'waived' then -amount end), 0))::bigint
		from order_ledger where performance_id = $1 and order_id = $2`, o.Performance, o.ID).Scan(&left)
	return left, err
}

// living is how many tickets of an order are not canceled.
func (o Order) living() (n int) {
	for _, k := range o.Tickets {
		if k.State != ticket.Canceled {
			n++
		}
	}
	return n
}

// canceling is a cancellation that is about to be written, with its entries.
type canceling struct {
	Cancellation
	others  []Cancellation // of the same tickets, each of another payment
	tickets []string
	last    bool   // nothing of the order is left
	tender  Tender // how the money is handed back over the counter; empty: by the provider
	entries []entry
}

// entry is a row of the ledger.
type entry struct {
	name   string
	ticket string // empty: the whole order
	amount int64
	tender Tender // of money that moved at the counter

	currency string // empty: the order's
}

// draw draws up what becomes of the picked tickets, by rules. No more than is owing is
// canceled: what was given back by hand does not go back again. Which payments the
// money comes of that goes back is not said yet.
func draw(o locked, c Cancel, t tariff.Tariff, picked []int, rules func(tariff.Part) tariff.Back) (canceling, error) {
	parts, err := t.Split(o.Total.Amount, o.Fee, column(o.Tickets, func(t Ticket) int64 { return t.Price.Amount }))
	if err != nil {
		return canceling{}, err
	}
	id, err := booking.NewID()
	if err != nil {
		return canceling{}, err
	}
	plan := canceling{Cancellation: Cancellation{ID: id, Performance: o.Performance, Order: o.ID, Attempt: o.attempt, PaidFor: o.Performance,
		Place: o.Place, Who: c.Who, Reason: c.Reason, Refund: id, Amount: booking.Money{Currency: o.Total.Currency}}, tender: c.Tender}
	for _, i := range picked {
		parts[i].Paid = min(parts[i].Paid, o.owing)
		o.owing -= parts[i].Paid
		k, back := o.Tickets[i], rules(parts[i])
		plan.tickets, plan.Units = append(plan.tickets, k.ID), append(plan.Units, k.Unit)
		plan.Amount.Amount, plan.Kept = plan.Amount.Amount+back.Refund, plan.Kept+back.Kept
		plan.entries = append(plan.entries, entry{name: "canceled", ticket: k.ID, amount: parts[i].Paid})
		if back.Kept > 0 {
			plan.entries = append(plan.entries, entry{name: "kept", ticket: k.ID, amount: back.Kept})
		}
		if back.Fee > 0 {
			plan.Fee += back.Fee
			plan.entries = append(plan.entries, entry{name: "fee_returned", ticket: k.ID, amount: back.Fee})
		}
	}
	plan.last = len(picked) == o.living()
	return plan, nil
}

// all are the cancellation of the units and those of other payments.
func (c canceling) all() []Cancellation { return append([]Cancellation{c.Cancellation}, c.others...) }

// from says of which payments the money goes back: the last one first. What is not of
// the order's own has a cancellation by itself, without units.
func (c canceling) from(left []purse) (canceling, error) {
	slices.Reverse(left)
	took, err := take(left, c.Amount.Amount)
	if err != nil {
		return c, err
	}
	c.Amount.Amount, c.State = 0, RefundDone
	for _, t := range took {
		part := &c.Cancellation
		if t.attempt != c.Attempt {
			id, err := booking.NewID()
			if err != nil {
				return c, err
			}
			c.others = append(c.others, c.Cancellation)
			part = &c.others[len(c.others)-1]
			part.ID, part.Refund, part.Attempt, part.PaidFor, part.Units, part.Kept, part.Fee, part.Freed = id, id, t.attempt, t.performance, []int{}, 0, 0, true
		}
		part.Amount.Amount = t.left
		if c.tender == "" {
			part.State = RefundRunning
			c.entries = append(c.entries, entry{name: "refunding", amount: t.left})
		} else { // it is handed back over the counter
			c.entries = append(c.entries, entry{name: "refunded", amount: t.left, tender: c.tender})
		}
	}
	return c, nil
}

// write writes a cancellation, what it changes, and what the ledger says of it.
func (c canceling) write(ctx context.Context, tx pgx.Tx) error {
	var b pgx.Batch
	b.Queue(`update tickets set state = 'canceled', updated_at = now() where performance_id = $1 and id = any($2) and state in ('valid', 'blocked', 'void')`,
		c.Performance, c.tickets)
	if c.last {
		b.Queue(`update orders set state = 'canceled', updated_at = now() where performance_id = $1 and id = $2`, c.Performance, c.Order)
	}
	for _, p := range c.all() {
		b.Queue(`insert into cancellations (performance_id, id, order_id, attempt_id, payment_performance, place_id, units, amount, kept, currency, who, reason,
				state, refund_id, freed, fee_returned)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			p.Performance, p.ID, p.Order, p.Attempt, cmp.Or(p.PaidFor, p.Performance), p.Place, p.Units, p.Amount.Amount, p.Kept, p.Amount.Currency, p.Who, p.Reason,
			p.State, p.Refund, p.Freed, p.Fee)
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	return write(ctx, tx, Order{ID: c.Order, Performance: c.Performance, Total: c.Amount}, c.Who, c.entries)
}
