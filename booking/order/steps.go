package order

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

const (
	// Grace is how long a hold stays at least with its fan after a failed
	// payment, unless its sale says otherwise.
	Grace = 2 * time.Minute
	// ActionLife is how long a fan may take to confirm a payment. With what a
	// settler needs to see that it is over (4 × Idle) it is less than a payment
	// keeps its hold and its session (ropeline.PaymentReserve).
	ActionLife = 10 * time.Minute
	// patience is how long one call of the provider may take, and secondLook
	// how long the question takes what became of one whose answer was lost.
	// The settler waits longer than both together (Idle), so no call is under
	// way when it looks; a request has as long as both and a little more.
	patience   = 15 * time.Second
	secondLook = 5 * time.Second
)

// steps are what a fan's request and the settler both do with an attempt.
type steps struct {
	store    *Store
	holds    *hold.Store
	provider payment.Provider
	guard    Guard // nil: nobody watches who pays
	now      func() time.Time
	log      *slog.Logger
}

// forward goes from Recorded to Done and returns the attempt as far as it came.
// What it cannot do now the settler does later; an error is for the log.
func (s *steps) forward(ctx context.Context, a Attempt) (Attempt, error) {
	var err error
	if a.Step == Recorded {
		if a, err = s.capture(ctx, a, nil); err != nil {
			return a, err
		}
	}
	switch a.Step {
	case Voiding:
		return s.backward(ctx, a)
	case Captured:
		if err := s.holds.Sell(ctx, a.Performance, a.Hold, a.ID, a.Units); err != nil {
			return a, err
		}
		return a, s.store.Done(ctx, a)
	}
	return a, nil
}

// capture takes the money of a recorded attempt, or cancels its order if that
// has become impossible, and returns the attempt as it is then. e is the event
// that made us ask, if one did.
func (s *steps) capture(ctx context.Context, a Attempt, e *payment.Event) (Attempt, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	p, err := s.provider.Capture(call, a.charge())
	cancel()
	switch {
	case errors.Is(err, payment.ErrNone), err == nil && p.State != payment.Authorized && p.State != payment.Captured:
		s.log.Error("order canceled: its payment cannot be captured", "attempt", a.ID, "payment", p.State)
		return s.store.end(ctx, a, e, canceled(Recorded, ErrDeclined))
	case err != nil:
		return a, fmt.Errorf("capturing attempt %s: %w", a.ID, err)
	case p.State == payment.Authorized:
		return a, fmt.Errorf("capturing attempt %s: the provider says %s", a.ID, p.State)
	}
	switch {
	case a.From != "":
		return s.exchange(ctx, a, e)
	case e != nil:
		return s.store.end(ctx, a, e, paid)
	}
	return s.store.Paid(ctx, a)
}

// attend looks whether the fan of an acting attempt has confirmed, and goes on if
// so. If the fan gives up, a payment that is not confirmed yet is let go. e is what
// told of it, if anything did.
func (s *steps) attend(ctx context.Context, a Attempt, e *payment.Event, giveUp bool) (Attempt, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	p, err := s.provider.Find(call, a.charge())
	cancel()
	switch {
	case err != nil && !errors.Is(err, payment.ErrNone):
		return a, fmt.Errorf("asking whether attempt %s is confirmed: %w", a.ID, err)
	case err == nil && p.State == payment.NeedsAction && !giveUp:
		return a, s.store.heardOf(ctx, a, e)
	case err == nil && p.State == payment.NeedsAction:
		a, err = s.store.end(ctx, a, e, canceled(Acting, ErrFailed))
	case err != nil, p.State == payment.Declined, p.State == payment.Voided, p.Amount != a.Amount:
		a, err = s.store.end(ctx, a, e, canceled(Acting, ErrDeclined))
	default:
		a.Card = s.allowance(a, p)
		a, err = s.store.confirm(ctx, a, e)
	}
	if err != nil {
		return a, err
	}
	if a, err = s.forward(ctx, a); err == nil && a.Step == Recorded { // money was there after all, see late
		return s.forward(ctx, a)
	}
	return a, err
}

// ConfirmBy is until when the fan of an attempt may confirm it at the bank. Its id says
// when it began. It reports false for what is no attempt's id.
func ConfirmBy(attempt string) (time.Time, bool) {
	at, ok := booking.MadeAt(attempt)
	return at.Add(ActionLife), ok
}

// overdue reports whether an acting attempt has had its time.
func (s *steps) overdue(a Attempt) bool {
	by, ok := ConfirmBy(a.ID)
	return !ok || s.now().After(by)
}

// grace is how long the sale of an attempt keeps a hold after a failed payment.
func (s *steps) grace(ctx context.Context, id ropeline.PerformanceID) time.Duration {
	p, err := s.store.catalogue.Performance(ctx, id)
	if err != nil || p.Sale.PaymentGrace == 0 {
		return Grace
	}
	return p.Sale.PaymentGrace.Duration()
}

// abandon makes sure that a started attempt will never be recorded and gives
// its hold back to the fan. It reports false if the attempt was not started
// any more.
func (s *steps) abandon(ctx context.Context, a Attempt, outcome string) (bool, error) {
	moved, err := s.store.move(ctx, a, Started, Voiding, outcome)
	if err != nil || !moved {
		return false, err
	}
	return true, s.unpay(ctx, a)
}

func (s *steps) unpay(ctx context.Context, a Attempt) error {
	return s.holds.Unpay(ctx, a.Performance, a.Hold, a.ID, s.grace(ctx, a.Performance))
}

// backward goes from Voiding to Closed: the hold is given back, the money let
// go. If there is money and an order that was promised, it may end at Recorded
// instead (see late); whoever called it then goes forward.
func (s *steps) backward(ctx context.Context, a Attempt) (Attempt, error) {
	if err := s.unpay(ctx, a); err != nil {
		return a, err
	}
	a, err := s.letGo(ctx, a)
	if err != nil || a.Step != Voiding {
		return a, err
	}
	if err := s.store.close(ctx, a); err != nil {
		return a, err
	}
	a.Step = Closed
	return a, nil
}

// reopen has a settler look at a failed attempt again.
func (s *steps) reopen(ctx context.Context, a Attempt) (Attempt, error) {
	if _, err := s.store.move(ctx, a, Closed, Voiding, ""); err != nil {
		return a, err
	}
	a.Step = Voiding
	return a, nil
}

// letGo makes sure that the provider keeps no money for an attempt that was not
// recorded, or whose order was canceled.
func (s *steps) letGo(ctx context.Context, a Attempt) (Attempt, error) {
	if a.Tender != "" { // the provider was never asked
		return a, nil
	}
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Find(call, a.charge())
	if err == nil && p.State == payment.NeedsAction {
		p, err = s.provider.Void(call, a.charge())
	}
	switch {
	case errors.Is(err, payment.ErrNone):
		return a, nil
	case err != nil:
		return a, fmt.Errorf("voiding attempt %s: %w", a.ID, err)
	case p.State == payment.Authorized, p.State == payment.Captured:
		return s.late(ctx, a, p)
	case p.State == payment.NeedsAction:
		return a, fmt.Errorf("voiding attempt %s: the provider says %s", a.ID, p.State)
	}
	return a, nil
}

// EndStrays ends a performance's holds that are paying although their attempt
// is not open: nobody else would ever end them. There is one when Redis marks
// a hold as paying after the request that asked for it gave up, when Redis
// forgets how a payment ended, and when an inventory is rebuilt from records
// that were read before the attempt closed. Redis is read first: an attempt is
// written before its hold is paying, so one that is not there never was.
func (s *steps) EndStrays(ctx context.Context, id ropeline.PerformanceID) error {
	payments, err := s.holds.Paying(ctx, id)
	if err != nil || len(payments) == 0 {
		return err
	}
	var ids []string
	for _, p := range payments {
		if booking.IsID(p.Attempt) {
			ids = append(ids, p.Attempt)
		}
	}
	attempts, err := s.store.among(ctx, id, ids)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range payments {
		switch a := attempts[p.Attempt]; a.Step {
		case Started, Acting, Recorded:
		case Captured, Done:
			errs = append(errs, s.holds.Sell(ctx, id, p.Hold, a.ID, a.Units))
		default:
			errs = append(errs, s.holds.Unpay(ctx, id, p.Hold, p.Attempt, s.grace(ctx, id)))
		}
	}
	return errors.Join(errs...)
}
