package order

import (
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
	Reason  string // of staff
	Full    bool   // staff only: the buyer gets back all that was paid
	Tender  Tender // how the money is given back at the counter; empty: by the provider
}

// Refusals of a cancel.
var (
	ErrTicketUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "ticket-unknown", Detail: "This order has no such ticket."}
	ErrNotPaid       = &ropeline.Error{Kind: ropeline.Conflict, Code: "order-not-paid", Detail: "This order is not paid yet. Wait until it is, or until its payment has failed."}
	ErrCancelClosed  = &ropeline.Error{Kind: ropeline.Conflict, Code: "cancel-closed", Detail: "By the rules of this performance its tickets cannot be canceled, or not any more."}
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
	Attempt     string
	Place       ropeline.PlaceID
	Units       []int
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
	done, err := d.store.cancel(ctx, o, c, p, d.now())
	if err != nil {
		return Order{}, err
	}
	if done.ID != "" {
		if err := d.follow(ctx, done); err != nil {
			d.log.Warn("canceled tickets are left to the worker", "order", o.ID, "err", err)
		}
	}
	return d.store.Order(ctx, o.ID)
}

// cancel writes it all in one transaction. Two that come at once wait for each
// other at the order's row.
func (s *Store) cancel(ctx context.Context, o Order, c Cancel, p catalogue.Performance, now time.Time) (done Cancellation, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		done = Cancellation{}
		var attempt string
		var place ropeline.PlaceID
		if err := tx.QueryRow(ctx, `select state, attempt_id, place_id from orders where performance_id = $1 and id = $2 for update`,
			o.Performance, o.ID).Scan(&o.State, &attempt, &place); err != nil {
			return err
		}
		if err := c.fits(o.Tender); err != nil {
			return err
		}
		if o.Tickets, err = ticketsOf(ctx, tx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID); err != nil {
			return err
		}
		picked, err := c.pick(o)
		if err != nil || len(picked) == 0 {
			return err
		}
		if closes := p.Map.Tariff.Closes(p.Map.StartsAt); c.Who == Buyer && !now.Before(closes) {
			return ErrCancelClosed
		}
		left, err := owing(ctx, tx, o)
		if err != nil {
			return err
		}
		plan, err := draw(o, c, p.Map.Tariff, picked, left)
		if err != nil {
			return err
		}
		plan.Attempt, plan.Place = attempt, place
		if err := plan.write(ctx, tx); err != nil {
			return err
		}
		done = plan.Cancellation
		return nil
	})
	if err != nil {
		if _, ours := errors.AsType[*ropeline.Error](err); !ours {
			err = away("canceling tickets of", o.ID, err)
		}
		return Cancellation{}, err
	}
	return done, nil
}

// pick returns which of an order's tickets have to be canceled.
func (c Cancel) pick(o Order) ([]int, error) {
	for _, id := range c.Tickets {
		if !slices.ContainsFunc(o.Tickets, func(t Ticket) bool { return t.ID == id }) {
			return nil, ErrTicketUnknown
		}
	}
	if o.State == Pending {
		return nil, ErrNotPaid
	}
	var picked []int
	for i, t := range o.Tickets {
		if len(c.Tickets) > 0 && !slices.Contains(c.Tickets, t.ID) {
			continue
		}
		switch t.State {
		case ticket.Blocked:
			return nil, ErrDisputed
		case ticket.Void:
			return nil, ErrDisputeLost
		case ticket.Valid:
			picked = append(picked, i)
		}
	}
	return picked, nil
}

// owing is what of an order's price is neither canceled nor given back by hand: no
// cancel comes to more.
func owing(ctx context.Context, tx pgx.Tx, o Order) (left int64, err error) {
	err = tx.QueryRow(ctx, `
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
	tickets []string
	last    bool // nothing of the order is left
	entries []entry
}

// entry is a row of the ledger.
type entry struct {
	name   string
	ticket string // empty: the whole order
	amount int64
	tender Tender // of money that moved at the counter
}

// draw draws up what becomes of the picked tickets. No more than left is canceled: what
// was given back by hand does not go back again.
func draw(o Order, c Cancel, t tariff.Tariff, picked []int, left int64) (canceling, error) {
	parts, err := t.Split(o.Total.Amount, o.Fee, column(o.Tickets, func(t Ticket) int64 { return t.Price.Amount }))
	if err != nil {
		return canceling{}, err
	}
	id, err := booking.NewID()
	if err != nil {
		return canceling{}, err
	}
	rules := t.Refund
	if c.Full {
		rules = tariff.Refund{}
	}
	plan := canceling{Cancellation: Cancellation{ID: id, Performance: o.Performance, Order: o.ID, Who: c.Who, Reason: c.Reason,
		Refund: id, State: RefundRunning, Amount: booking.Money{Currency: o.Total.Currency}}}
	for _, i := range picked {
		parts[i].Paid = min(parts[i].Paid, left)
		if rules.KeepFee {
			parts[i].Fee = min(parts[i].Fee, parts[i].Paid)
		}
		left -= parts[i].Paid
		k, back := o.Tickets[i], rules.Cancel(parts[i])
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
	switch {
	case plan.Amount.Amount == 0:
		plan.State = RefundDone
	case c.Tender != "": // it is handed back over the counter
		plan.State = RefundDone
		plan.entries = append(plan.entries, entry{name: "refunded", amount: plan.Amount.Amount, tender: c.Tender})
	default:
		plan.entries = append(plan.entries, entry{name: "refunding", amount: plan.Amount.Amount})
	}
	return plan, nil
}

// write writes a cancellation, what it changes, and what the ledger says of it.
func (c canceling) write(ctx context.Context, tx pgx.Tx) error {
	var b pgx.Batch
	b.Queue(`update tickets set state = 'canceled', updated_at = now() where performance_id = $1 and id = any($2) and state in ('valid', 'blocked', 'void')`,
		c.Performance, c.tickets)
	if c.last {
		b.Queue(`update orders set state = 'canceled', updated_at = now() where performance_id = $1 and id = $2`, c.Performance, c.Order)
	}
	b.Queue(`insert into cancellations (performance_id, id, order_id, attempt_id, place_id, units, amount, kept, currency, who, reason, state, refund_id, fee_returned)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.Performance, c.ID, c.Order, c.Attempt, c.Place, c.Units, c.Amount.Amount, c.Kept, c.Amount.Currency, c.Who, c.Reason, c.State, c.Refund, c.Fee)
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	return write(ctx, tx, Order{ID: c.Order, Performance: c.Performance, Total: c.Amount}, c.Who, c.entries)
}
