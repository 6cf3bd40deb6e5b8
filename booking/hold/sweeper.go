package hold

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
)

// Sweeper puts the units of holds that have run out back on sale.
type Sweeper struct {
	Holds        *Store
	Performances func(context.Context) ([]ropeline.PerformanceID, error)
	Every        time.Duration
	Log          *slog.Logger
	Done         func(holds int, err error) // of each round; absent: nobody counts
}

const (
	// sweepLimit bounds the work of one script call.
	sweepLimit = 100
	// sweepPatience is how long the sweep of one performance may take, and the
	// question which there are.
	sweepPatience = 5 * time.Second
)

// Run sweeps every performance on sale again and again, until ctx ends. While
// Postgres is away it goes on with the performances that it knew.
func (w *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	var known []ropeline.PerformanceID
	for round := 0; ; round++ {
		if round%20 == 0 { // the list changes rarely
			if ids, err := w.list(ctx); err == nil {
				known = ids
			} else if ctx.Err() == nil {
				w.Log.Warn("sweeper goes on with the performances it knows", "err", err)
			}
		}
		n, err := w.sweep(ctx, known)
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("holds were not swept", "err", err)
		}
		if w.Done != nil {
			w.Done(n, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *Sweeper) list(ctx context.Context) ([]ropeline.PerformanceID, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	return w.Performances(ctx)
}

// sweep goes through all of them: one that cannot be swept does not stop the
// others.
func (w *Sweeper) sweep(ctx context.Context, ids []ropeline.PerformanceID) (swept int, err error) {
	var errs []error
	for _, id := range ids {
		n, err := w.sweepOne(ctx, id)
		swept, errs = swept+n, append(errs, err)
	}
	return swept, errors.Join(errs...)
}

func (w *Sweeper) sweepOne(ctx context.Context, id ropeline.PerformanceID) (swept int, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	for {
		n, err := w.Holds.Sweep(ctx, id, sweepLimit)
		swept += n
		if err != nil || n < sweepLimit {
			return swept, err
		}
	}
}
