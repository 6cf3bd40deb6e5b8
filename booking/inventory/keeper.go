package inventory

import (
	"context"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
)

// look is how often the Keeper looks for performances that are not built: one
// INFO and a GET each.
const look = time.Second

// Keeper builds what is not built: at the start, for new performances, and
// after Redis was restarted or lost its data.
type Keeper struct {
	Store        *Store
	Records      Records
	Performances func(context.Context) ([]ropeline.PerformanceID, error)
	Log          *slog.Logger

	// EndStrays ends the holds that are paying without an open attempt: a
	// Redis that lost its last second may have the hold of a payment that has
	// ended, and so may a rebuild from a read just before that.
	EndStrays func(context.Context, ropeline.PerformanceID) error
}

// Build rebuilds every performance: what a booking core does before it takes
// its first request, whatever the marks say.
func (k *Keeper) Build(ctx context.Context) error {
	ids, err := k.Performances(ctx)
	if err != nil {
		return err
	}
	return k.build(ctx, ids)
}

// Run rebuilds what is found not to be built, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := k.mend(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("inventory is not ready", "err", err)
		}
	}
}

func (k *Keeper) mend(ctx context.Context) error {
	ids, err := k.Performances(ctx)
	if err != nil {
		return err
	}
	stale, err := k.Store.stale(ctx, ids)
	if err != nil {
		return err
	}
	return k.build(ctx, stale)
}

func (k *Keeper) build(ctx context.Context, ids []ropeline.PerformanceID) error {
	for _, id := range ids {
		restored, err := k.Store.Rebuild(ctx, id, k.Records)
		if err == nil {
			err = k.EndStrays(ctx, id)
		}
		if err != nil {
			return err
		}
		k.Log.Info("inventory rebuilt from Postgres", "performance", id, "holds_restored", restored)
	}
	return nil
}
