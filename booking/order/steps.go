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
	// payment.
	Grace = 2 * time.Minute
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
	log      *slog.Logger
}

// forward goes from Recorded to Done and returns the attempt as far as it came.
// What it cannot do now the settler does later; an error is for the log.
func (s *steps) forward(ctx context.Context, a Attempt) (Attempt, error) {
	var err error
	if a.Step == Recorded {
		if a, err = s.capture(ctx, a); err != nil {
			return a, err
		}
	}
	switch a.Step {
	case Voiding:
		return a, s.backward(ctx, a)
	case Captured:
		if err := s.holds.Sell(ctx, a.Performance, a.Hold, a.ID, a.Units); err != nil {
			return a, err
		}
		return a, s.store.Done(ctx, a)
	}
	return a, nil
}

// capture takes the money of a recorded attempt, or cancels its order if that
// has become impossible, and returns the attempt as it is then.
func (s *steps) capture(ctx context.Context, a Attempt) (Attempt, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	p, err := s.provider.Capture(call, a.charge())
	cancel()
	switch {
	case errors.Is(err, payment.ErrNone), err == nil && (p.State == payment.Voided || p.State == payment.Declined):
		s.log.Error("order canceled: its payment cannot be captured", "attempt", a.ID, "payment", p.State)
		if err := s.store.cancel(ctx, a); err != nil {
			return a, err
		}
		return s.store.read(ctx, a)
	case err != nil:
		return a, fmt.Errorf("capturing attempt %s: %w", a.ID, err)
	case p.State != payment.Captured:
		return a, fmt.Errorf("capturing attempt %s: the provider says %s", a.ID, p.State)
	}
	return s.store.Paid(ctx, a)
}

// abandon makes sure that a started attempt will never be recorded and gives
// its hold back to the fan. It reports false if the attempt was not started
// any more.
func (s *steps) abandon(ctx context.Context, a Attempt, outcome string) (bool, error) {
	moved, err := s.store.move(ctx, a, Started, Voiding, outcome)
	if err != nil || !moved {
		return false, err
	}
	return true, s.holds.Unpay(ctx, a.Performance, a.Hold, a.ID, Grace)
}

// backward goes from Voiding to Closed: the hold is given back, the money let
// go.
func (s *steps) backward(ctx context.Context, a Attempt) error {
	if err := s.holds.Unpay(ctx, a.Performance, a.Hold, a.ID, Grace); err != nil {
		return err
	}
	if err := s.letGo(ctx, a); err != nil {
		return err
	}
	_, err := s.store.move(ctx, a, Voiding, Closed, "")
	return err
}

// letGo makes sure that the provider keeps no money for an attempt that will
// never be recorded.
func (s *steps) letGo(ctx context.Context, a Attempt) error {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Find(call, a.charge())
	if err == nil && (p.State == payment.Authorized || p.State == payment.NeedsAction) {
		p, err = s.provider.Void(call, a.charge())
	}
	if err != nil && !errors.Is(err, payment.ErrNone) {
		return fmt.Errorf("voiding attempt %s: %w", a.ID, err)
	}
	if p.State == payment.Captured || p.State == payment.Authorized || p.State == payment.NeedsAction {
		return fmt.Errorf("voiding attempt %s: the provider says %s", a.ID, p.State)
	}
	return nil
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
		case Started, Recorded:
		case Captured, Done:
			errs = append(errs, s.holds.Sell(ctx, id, p.Hold, a.ID, a.Units))
		default:
			errs = append(errs, s.holds.Unpay(ctx, id, p.Hold, p.Attempt, Grace))
		}
	}
	return errors.Join(errs...)
}
