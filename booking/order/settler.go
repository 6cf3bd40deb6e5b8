package order

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
	"github.com/ropeline/ropeline/internal/periodic"
)

// Idle is how long an attempt must not have moved before a settler takes it:
// longer than a request may be at its calls of the provider (patience and
// secondLook), so the one that started it is no longer at work. Only a test, or an operator who knows that
// no booking core runs, may set a shorter one.
const Idle = 30 * time.Second

// Settler finishes what a crash or a broken connection left half done: one
// step further for attempts that were recorded, back for those that were not.
type Settler struct {
	steps
	idle  time.Duration
	every time.Duration

	books   payment.Books // nil: it has none
	young   time.Duration // settled
	metrics *metrics
}

// NewSettler returns a Settler that looks every so often for attempts that
// have been idle for a while (Idle).
func NewSettler(store *Store, holds *hold.Store, provider payment.Provider, idle, every time.Duration, log *slog.Logger) *Settler {
	books, _ := provider.(payment.Books)
	return &Settler{books: books, young: settled, steps: steps{store: store, holds: holds, provider: free{provider}, now: time.Now, log: log}, idle: idle, every: every, metrics: newMetrics(nil)}
}

const (
	// settleLimit bounds how many attempts one round takes.
	settleLimit = 100
	// settlePatience is how long it may be at them, and strayPatience how long
	// at the strays of one performance. Attempts that are not reached are taken
	// again when they are due again, the longest idle first.
	settlePatience = time.Minute
	strayPatience  = 5 * time.Second
)

// Run settles until ctx ends.
func (s *Settler) Run(ctx context.Context) error {
	return periodic.Run(ctx, s.every, s.log, "attempts were not settled", func(ctx context.Context) error {
		err := s.round(ctx)
		s.metrics.round(taskSettle, 0, err)
		return err
	})
}

// RunComparison compares with the provider's list every so often until ctx ends.
func (s *Settler) RunComparison(ctx context.Context, every time.Duration) error {
	return periodic.Run(ctx, every, s.log, "our payments were not compared with the provider's", func(ctx context.Context) error {
		seen, err := s.comparison(ctx, every)
		s.metrics.round(taskCompare, seen, err)
		return err
	})
}

func (s *Settler) comparison(ctx context.Context, every time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, comparePatience)
	defer cancel()
	seen, err := s.Compare(ctx, every)
	_, forgetErr := s.store.forget(ctx)
	forgetErr = errors.Join(forgetErr, s.store.endOffers(ctx))
	open, countErr := s.store.troubled(ctx)
	if countErr == nil {
		for _, kind := range []TroubleKind{Late, Unknown, Unpaid, Amount, RefundRefused, Disputed} {
			s.metrics.troubles.WithLabelValues(string(kind)).Set(float64(open[kind]))
		}
	}
	return seen, errors.Join(err, forgetErr, countErr)
}

// round looks first for what Redis has left over from payments that ended.
func (s *Settler) round(ctx context.Context) error {
	bounded := func(patience time.Duration, do func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return do(ctx)
	}
	var ids []ropeline.PerformanceID
	errs := []error{bounded(strayPatience, func(ctx context.Context) (err error) {
		ids, err = s.store.catalogue.Performances(ctx)
		return err
	})}
	for _, id := range ids {
		errs = append(errs, bounded(strayPatience, func(ctx context.Context) error { return s.EndStrays(ctx, id) }))
	}
	errs = append(errs, bounded(settlePatience, func(ctx context.Context) error {
		_, err := s.Settle(ctx)
		return err
	}), bounded(settlePatience, func(ctx context.Context) error {
		_, err := s.Refund(ctx)
		return err
	}))
	return errors.Join(errs...)
}

// Settle takes the attempts that are due one step or more and returns how
// many there were. One that fails is taken again when it is due again.
func (s *Settler) Settle(ctx context.Context) (int, error) {
	attempts, err := s.store.due(ctx, s.idle, settleLimit)
	if err != nil {
		return 0, err
	}
	for _, a := range attempts {
		if err := s.settle(ctx, a); err != nil {
			s.metrics.failed.WithLabelValues(taskSettle).Inc()
			s.log.Warn("attempt is not settled yet", "attempt", a.ID, "step", a.Step, "err", err)
			continue
		}
		s.metrics.did.WithLabelValues(taskSettle).Inc()
		s.log.Info("attempt settled", "attempt", a.ID, "from", a.Step)
	}
	return len(attempts), nil
}

// back goes backward, and forward again if late money has brought the order back.
func (s *Settler) back(ctx context.Context, a Attempt) error {
	a, err := s.backward(ctx, a)
	if err == nil && a.Step == Recorded {
		_, err = s.forward(ctx, a)
	}
	return err
}

func (s *Settler) settle(ctx context.Context, a Attempt) error {
	switch a.Step {
	case Started:
		abandoned, err := s.abandon(ctx, a, ErrFailed.Code)
		if err != nil || !abandoned {
			return err
		}
		a.Step = Voiding
		return s.back(ctx, a)
	case Voiding:
		return s.back(ctx, a)
	case Acting:
		_, err := s.attend(ctx, a, nil, s.overdue(a))
		return err
	default:
		_, err := s.forward(ctx, a)
		return err
	}
}
