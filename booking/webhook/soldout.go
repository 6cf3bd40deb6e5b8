package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/periodic"
)

// WatchEvery is how often a Watcher looks.
const WatchEvery = 5 * time.Second

// Watcher says when a performance is sold out: every unit that is on sale is sold. It
// says so once more if some came back and were sold again. Who holds units is in Redis,
// so no trigger can know.
type Watcher struct {
	Store *Store
	Shows *catalogue.Store
	Units *inventory.Store
	Every time.Duration
	Log   *slog.Logger
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	return periodic.Run(ctx, w.Every, w.Log, "cannot tell what is sold out", w.round)
}

func (w *Watcher) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var wanted bool
	if err := w.Store.db.QueryRow(ctx, `select webhook_wanted($1)`, SoldOut).Scan(&wanted); err != nil || !wanted {
		return err
	}
	ids, err := w.Shows.Performances(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, w.look(ctx, id))
	}
	return errors.Join(errs...)
}

func (w *Watcher) look(ctx context.Context, id ropeline.PerformanceID) error {
	p, err := w.Shows.Performance(ctx, id)
	if err != nil {
		return err
	}
	spans := make([]inventory.Span, len(p.Map.Tiers))
	for i, t := range p.Map.Tiers {
		spans[i] = inventory.Span{First: t.First, Count: t.Count}
	}
	c, err := w.Units.Count(ctx, id, spans)
	if errors.Is(err, inventory.ErrNotReady) {
		return nil
	}
	if err != nil {
		return err
	}
	var sold, closed int64
	for i := range spans {
		sold, closed = sold+c.Sold[i], closed+c.Closed[i]
	}
	if sold == 0 || sold+closed < int64(p.Map.Units) {
		_, err := w.Store.db.Exec(ctx, `delete from webhook_sold_out where performance_id = $1`, id)
		return err
	}
	// The mark and the event are one statement, so that of several Watchers one says it.
	_, err = w.Store.db.Exec(ctx, `
		with mark as (insert into webhook_sold_out (performance_id) values ($1) on conflict do nothing returning performance_id)
		select webhook_tell($2, performance_id, jsonb_build_object('performance', performance_id, 'sale', $3::text, 'sold', $4::bigint)) from mark`,
		id, SoldOut, p.Sale.ID, sold)
	return err
}
