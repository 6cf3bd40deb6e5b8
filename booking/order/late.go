package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/abuse"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

// late does what is right with money that is there for an attempt that has failed.
// If the fan had an order, its units come back to it when nobody else has them. If
// not, or if the fan was told at once that it failed, the money goes back. Staff
// see what came late in either case (Trouble).
func (s *steps) late(ctx context.Context, a Attempt, p payment.Payment) (Attempt, error) {
	promised, full, err := s.store.hasOrder(ctx, a)
	if err != nil {
		return a, err
	}
	refused := a.Outcome == abuse.ErrCardLimit.Code
	if (!promised || refused) && p.State == payment.Authorized { // the fan knows that nothing was taken
		_, err := s.void(ctx, a)
		return a, err
	}
	a.Ref = p.Ref
	trouble := troubleOf(a, p, Late)
	if err := s.store.note(ctx, s.store.db, trouble); err != nil {
		return a, err
	}
	// A coupon that made it cheaper is its hold's or its owner's again, and may be used up,
	// and what is exchanged may be gone: such money goes back.
	if full && !refused && a.From == "" && p.Amount == a.Amount && p.Refunded == 0 {
		seated, err := s.reseat(ctx, a)
		if err != nil || seated.Step != Voiding {
			return seated, err
		}
	}
	return s.giveBack(ctx, a, p, trouble)
}

func (s *steps) void(ctx context.Context, a Attempt) (payment.Payment, error) {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := s.provider.Void(call, a.charge())
	if err == nil && p.State != payment.Voided && p.State != payment.Declined && p.State != payment.Captured {
		err = fmt.Errorf("the provider says %s", p.State)
	}
	if err != nil {
		return p, fmt.Errorf("voiding attempt %s: %w", a.ID, err)
	}
	return p, nil
}

// giveBack lets late money go, or refunds it if it was taken, unless somebody was faster
// and has the order's places back: then it returns the attempt as it is now.
func (s *steps) giveBack(ctx context.Context, a Attempt, p payment.Payment, t Trouble) (Attempt, error) {
	now, err := s.store.renounce(ctx, a)
	if err != nil || now.Step != Voiding {
		return now, err
	}
	if p.State == payment.Authorized {
		if p, err = s.void(ctx, a); err != nil {
			return a, err
		}
		if p.State != payment.Captured {
			t.State = LetGo
			return a, s.store.note(ctx, s.store.db, t)
		}
	}
	t.Refund = refundOf(a)
	if t.Amount.Amount = p.Amount.Amount - p.Refunded; t.Amount.Amount == 0 { // by us, it may be
		t.Amount = p.Amount
	}
	return a, s.refund(ctx, a, t, nil)
}

// refundOf is the id of the one refund of an attempt's late money.
func refundOf(a Attempt) string {
	return uuid.NewSHA1(uuid.MustParse(a.ID), []byte("late")).String()
}

// refund gives late money back, or asks how far that got.
func (s *steps) refund(ctx context.Context, a Attempt, t Trouble, e *payment.Event) error {
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done, err := s.provider.Refund(call, a.charge(), payment.Refund{ID: t.Refund, Amount: t.Amount, Fee: feeIn(a, t.Amount)})
	switch {
	case errors.Is(err, payment.ErrNotRefundable), err == nil && done.State == payment.RefundFailed:
		// Somebody has given it back by hand, or it is in dispute, or has come back.
		t.State = Failed
		if p, err := s.provider.Find(call, a.charge()); err == nil && p.Refunded == p.Amount.Amount {
			t.State = GivenBack
		}
	case err != nil:
		return fmt.Errorf("refunding attempt %s: %w", a.ID, err)
	default:
		t.State = map[payment.RefundState]TroubleState{
			payment.RefundPending: Refunding, payment.RefundDone: GivenBack}[done.State]
	}
	return s.store.change(ctx, a, e, func(db querier) error { return s.store.note(ctx, db, t) })
}

// feeIn is what of an attempt's fee goes back with late money: all, if that is whole.
func feeIn(a Attempt, back booking.Money) int64 {
	if back != a.Amount {
		return 0
	}
	return a.AccountFee
}

// reseat gives the order of an attempt its units again, if nobody has them and neither its
// place of the line nor its card has bought others up to the limit meanwhile. Redis is asked
// first: whoever holds them there was promised them. Postgres is the last guard, as ever.
func (s *steps) reseat(ctx context.Context, a Attempt) (Attempt, error) {
	before := a
	quiet := s.holds.Keeping(nil) // money does not wait for the session to be there
	free, err := s.seat(ctx, quiet, &a)
	if err != nil || !free {
		return before, err
	}
	revived, err := s.store.revive(ctx, a)
	if err != nil && !isUniqueViolation(err) {
		return before, err
	}
	if err == nil && !revived {
		now, err := s.store.read(ctx, a)
		if err != nil || now.Step != Voiding { // somebody else was faster
			return now, err
		}
	}
	if !revived { // the units are somebody's, or too many for the place of the line, or the card
		err = s.unpay(ctx, a)
		if err == nil && a.Hold == a.ID {
			err = quiet.Release(ctx, a.Performance, a.Hold, s.sessionOf(a))
		}
		return before, err
	}
	a.Step = Recorded
	// Whoever looked for strays meanwhile may have taken the hold for one.
	if _, err := quiet.Pay(ctx, a.Performance, a.Hold, s.sessionOf(a), a.ID); err != nil && !isAway(err) {
		return s.store.end(ctx, a, nil, canceled(Recorded, ErrFailed))
	}
	return a, nil
}

// isAway reports whether an error says nothing about what was asked.
func isAway(err error) bool {
	e, _ := errors.AsType[*ropeline.Error](err)
	return e == nil || e.Kind == ropeline.Unavailable
}

// seat makes the hold of an attempt a paying one again, or a new one with the same
// units, named as the attempt is so that a repeat finds it.
func (s *steps) seat(ctx context.Context, quiet *hold.Store, a *Attempt) (free bool, err error) {
	_, err = quiet.Pay(ctx, a.Performance, a.Hold, s.sessionOf(*a), a.ID)
	if err == nil {
		return true, nil
	}
	switch {
	case isAway(err):
		return false, err
	case errors.Is(err, hold.ErrPaying), errors.Is(err, hold.ErrSold): // the fan pays for them otherwise, or has
		return false, nil
	}
	a.Hold = a.ID
	_, err = quiet.Units(ctx, hold.Request{ID: a.Hold, Performance: a.Performance, Sale: a.Sale, Session: s.sessionOf(*a),
		SessionEnds: s.now().Add(time.Hour), Life: Grace}, a.Units)
	if err == nil {
		_, err = quiet.Pay(ctx, a.Performance, a.Hold, s.sessionOf(*a), a.ID)
	}
	if err != nil && !isAway(err) {
		return false, nil
	}
	return err == nil, err
}

// sessionOf is whose the hold of an attempt is: nobody's, if it was made afresh.
func (s *steps) sessionOf(a Attempt) string {
	if a.Hold == a.ID {
		return "late-" + a.ID
	}
	return a.Session
}
