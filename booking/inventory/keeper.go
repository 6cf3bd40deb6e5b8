package inventory

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/periodic"
)

// look is how often the Keeper looks for performances that are not built, an INFO
// and an MGET each, and which reserves and lists are in force, a query each for all.
const look = time.Second

// patience is how long one look, and the rebuild of one performance, may take.
const patience = 20 * time.Second

// Keeper builds what is not built: at the start, for new performances, after
// Redis was restarted or lost its data, when a reserve is made or released, and when a
// tier gets its returns list.
type Keeper struct {
	Store        *Store
	Records      Records
	Reserves     Reserves // nil: there are none
	Lists        Lists    // nil, too
	Performances func(context.Context) ([]ropeline.PerformanceID, error)
	Log          *slog.Logger

	// EndStrays ends the holds that are paying without an open attempt: a
	// Redis that lost its last second may have the hold of a payment that has
	// ended, and so may a rebuild from a read just before that.
	EndStrays func(context.Context, ropeline.PerformanceID) error

	built sync.Map // of performances; see Built
}

// Run builds what is not built, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	return periodic.Run(ctx, look, k.Log, "inventory is not ready", k.Build)
}

// Built reports whether a performance was compared with Postgres since the
// Keeper was made, whatever its mark says.
func (k *Keeper) Built(id ropeline.PerformanceID) bool {
	_, built := k.built.Load(id)
	return built
}

// Build rebuilds each performance that is not Built, and those that are built
// against another Redis process. One that cannot be does not stop the others.
func (k *Keeper) Build(ctx context.Context) error {
	ids, stale, err := k.look(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if stale[id] || !k.Built(id) {
			errs = append(errs, k.build(ctx, id))
		}
	}
	return errors.Join(errs...)
}

func (k *Keeper) look(ctx context.Context) ([]ropeline.PerformanceID, map[ropeline.PerformanceID]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ids, err := k.Performances(ctx)
	if err != nil {
		return nil, nil, err
	}
	var reserves, lists map[ropeline.PerformanceID]string
	if k.Reserves != nil {
		if reserves, err = k.Reserves.InForce(ctx); err != nil {
			return nil, nil, err
		}
	}
	if k.Lists != nil {
		if lists, err = k.Lists.InForce(ctx); err != nil {
			return nil, nil, err
		}
	}
	inForce := make(map[ropeline.PerformanceID]string, len(reserves))
	for _, id := range ids {
		inForce[id] = mark(reserves[id], lists[id])
	}
	stale, err := k.Store.stale(ctx, ids, inForce)
	return ids, stale, err
}

func (k *Keeper) build(ctx context.Context, id ropeline.PerformanceID) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	restored, err := k.Store.Rebuild(ctx, id, With(k.Records, k.Reserves, k.Lists))
	if err != nil {
		return err
	}
	if err := k.EndStrays(ctx, id); err != nil {
		return err
	}
	k.built.Store(id, true)
	k.Log.Info("inventory rebuilt from Postgres", "performance", id, "holds_restored", restored)
	return nil
}
