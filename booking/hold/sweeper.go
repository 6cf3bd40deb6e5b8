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
}

// sweepLimit bounds the work of one script call.
const sweepLimit = 100

// Run sweeps every performance on sale again and again, until ctx ends. While
// Postgres is away it goes on with the performances that it knew.
func (w *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	var known []ropeline.PerformanceID
	for round := 0; ; round++ {
		if round%20 == 0 { // the list changes rarely
			if ids, err := w.Performances(ctx); err == nil {
				known = ids
			} else if ctx.Err() == nil {
				w.Log.Warn("sweeper goes on with the performances it knows", "err", err)
			}
		}
		if err := w.sweep(ctx, known); err != nil && ctx.Err() == nil {
			w.Log.Warn("holds were not swept", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep goes through all of them: one that cannot be swept does not stop the
// others.
func (w *Sweeper) sweep(ctx context.Context, ids []ropeline.PerformanceID) error {
	var errs []error
	for _, id := range ids {
		for n := sweepLimit; n == sweepLimit; {
			var err error
			n, err = w.Holds.Sweep(ctx, id, sweepLimit)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
