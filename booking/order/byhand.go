package order

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/ticket"
)

// ByHand is the reason of a cancellation that tells of a refund which somebody made at
// the provider.
const ByHand = "refunded by hand at the provider"

// hearByHand looks what was given back by hand of the payment that an event is about.
func (d *Desk) hearByHand(ctx context.Context, e payment.Event) (Attempt, Heard, error) {
	a, found, err := d.payer(ctx, e.Account, e.Ref)
	if err != nil || !found {
		return Attempt{}, HeardNot, err
	}
	known, err := d.store.heard(ctx, a, e)
	if err != nil || known {
		return a, HeardAgain, err
	}
	err = d.byHand(ctx, a, &e)
	if errors.Is(err, errHeard) {
		return a, HeardAgain, nil
	}
	return a, HeardNow, err
}

// payer finds the attempt of a payment by the provider's id, which the provider knows.
func (s *steps) payer(ctx context.Context, account, ref string) (Attempt, bool, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Find(call, payment.Charge{Ref: ref, Account: account})
	if err != nil {
		return Attempt{}, false, fmt.Errorf("asking for payment %.40q: %w", ref, err)
	}
	return s.store.byID(ctx, p.Attempt)
}

// byHand books what was given back by hand of an attempt's payment. Late money of a
// failed attempt is settled by it; else see Store.byHand.
func (s *steps) byHand(ctx context.Context, a Attempt, e *payment.Event) error {
	switch a.Step {
	case Captured, Done:
	case Voiding, Closed:
		return s.lateByHand(ctx, a, e)
	default:
		return fmt.Errorf("refund by hand of attempt %s, which is %s: %w", a.ID, a.Step, errTooEarly)
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := s.provider.Refunds(call, a.charge())
	if err != nil {
		return fmt.Errorf("asking for the refunds of attempt %s: %w", a.ID, err)
	}
	all = slices.DeleteFunc(all, func(r payment.Refunded) bool { return r.ID != "" || r.State != payment.RefundDone })
	p, err := s.store.catalogue.Performance(ctx, a.Performance)
	if err != nil {
		return err
	}
	freed, err := s.store.byHand(ctx, a, e, all, p)
	for _, c := range freed {
		if err := s.follow(ctx, c); err != nil {
			s.log.Warn("the places of what was refunded by hand are left to the worker", "order", c.Order, "err", err)
		}
	}
	return err
}

// lateByHand asks once more for the refund of late money that had failed: the provider
// says that nothing is left of it.
func (s *steps) lateByHand(ctx context.Context, a Attempt, e *payment.Event) error {
	found, err := troubles(ctx, s.store.db, `attempt_id = $1 and kind = 'late' and state = 'failed' and refund_id is not null`, a.ID)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return s.store.heardOf(ctx, a, e)
	}
	a.Ref = found[0].Ref
	return s.refund(ctx, a, found[0], e)
}

// byHand books refunds that were made by hand, each once, in one transaction with the
// event that told of them, if one did. A refund of ours that the provider had refused
// is taken to be what was made up for, if one fits; of the rest nothing is owed any
// more. Who has all of the money back has no tickets: they are canceled, and returned
// to be freed.
func (s *Store) byHand(ctx context.Context, a Attempt, e *payment.Event, refunds []payment.Refunded, p catalogue.Performance) (freed []Cancellation, err error) {
	do := func(tx pgx.Tx) error {
		freed = nil
		o := Order{Performance: a.Performance}
		var place ropeline.PlaceID
		err := tx.QueryRow(ctx, `select id, amount, fee, currency, place_id from orders where performance_id = $1 and attempt_id = $2 for update`,
			a.Performance, a.ID).Scan(&o.ID, &o.Total.Amount, &o.Fee, &o.Total.Currency, &place)
		if err != nil {
			return err
		}
		if o.Tickets, err = ticketsOf(ctx, tx, `performance_id = $1 and order_id = $2`, o.Performance, o.ID); err != nil {
			return err
		}
		for _, r := range refunds {
			if r.Amount.Currency != o.Total.Currency {
				return fmt.Errorf("it is of %s, and its order of %s", r.Amount.Currency, o.Total.Currency)
			}
			c := Cancellation{ID: uuid.NewSHA1(uuid.MustParse(a.ID), []byte("by hand "+r.Ref)).String(), Performance: o.Performance, Order: o.ID,
				Attempt: a.ID, Place: place, Amount: r.Amount, Who: System, Reason: ByHand, State: RefundDone, Freed: true}
			c.Refund = c.ID
			if c, err = bookByHand(ctx, tx, o, c, p); err != nil {
				return err
			}
			if !c.Freed {
				freed = append(freed, c)
			}
		}
		return nil
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if e == nil {
			return do(tx)
		}
		return s.changeIn(ctx, tx, a, *e, func() error { return do(tx) })
	})
	if err != nil {
		if !errors.Is(err, errHeard) {
			err = away("booking refunds by hand of", a.ID, err)
		}
		return nil, err
	}
	return freed, nil
}

// bookByHand books one, and returns its cancellation as it was written: freed, if that
// was before, or if there is nothing to free.
func bookByHand(ctx context.Context, tx pgx.Tx, o Order, c Cancellation, p catalogue.Performance) (Cancellation, error) {
	known, err := ids(ctx, tx, `select id::text from cancellations where performance_id = $1 and id = $2`, c.Performance, c.ID)
	if err != nil || len(known) > 0 {
		return c, err
	}
	back := c.Amount.Amount
	if c.Amount.Amount, err = madeUp(ctx, tx, o, back); err != nil {
		return c, err
	}
	left, err := owing(ctx, tx, o)
	if err != nil {
		return c, err
	}
	waived := c.Amount.Amount
	c.Units = []int{}
	plan := canceling{Cancellation: c, entries: []entry{{name: "refunded", amount: back}}}
	if waived > 0 {
		plan.entries = append(plan.entries, entry{name: "waived", amount: waived})
	}
	if left > 0 && waived >= left {
		plan, err = plan.empty(o, p)
	}
	if err != nil {
		return c, err
	}
	return plan.Cancellation, plan.write(ctx, tx)
}

// empty cancels all tickets that an order has left, of nothing.
func (c canceling) empty(o Order, p catalogue.Performance) (canceling, error) {
	var picked []int
	for i, k := range o.Tickets {
		if k.State == ticket.Valid || k.State == ticket.Blocked {
			picked = append(picked, i)
		}
	}
	drawn, err := draw(locked{Order: o}, Cancel{Who: c.Who}, p.Map.Tariff, picked, tariff.Refund{}.Cancel)
	if err != nil {
		return c, err
	}
	c.tickets, c.Units, c.last, c.Freed = drawn.tickets, drawn.Units, drawn.last, len(picked) == 0
	c.entries = append(c.entries, drawn.entries...)
	return c, nil
}

// madeUp ends the failed refunds that an amount makes up for, the oldest first, and
// returns what is left of it.
func madeUp(ctx context.Context, tx pgx.Tx, o Order, amount int64) (left int64, err error) {
	failed, err := cancellations(ctx, tx, `select `+cancellationColumns+` from cancellations
		where performance_id = $1 and order_id = $2 and state = 'failed' order by created_at for update`, o.Performance, o.ID)
	if err != nil {
		return 0, err
	}
	for _, c := range failed {
		if c.Amount.Amount > amount {
			continue
		}
		if _, err := tx.Exec(ctx, `update cancellations set state = 'refunded', updated_at = now() where performance_id = $1 and id = $2`,
			c.Performance, c.ID); err != nil {
			return 0, err
		}
		amount -= c.Amount.Amount
	}
	return amount, nil
}
