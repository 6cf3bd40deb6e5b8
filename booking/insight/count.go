package insight

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
)

// Counter counts what nobody writes down by itself: how often a performance is opened, and
// how often something of it is held. It keeps the counts of some seconds in memory, and
// writes them together. A core that dies takes what it had not written with it: they are to
// be looked at, and no money.
type Counter struct {
	db  *pgxpool.Pool
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	counts map[ropeline.PerformanceID]counts
}

type counts struct{ views, holds int64 }

const (
	// countEvery is how often counts are written.
	countEvery = 5 * time.Second
	// mostCounted is of how many performances counts are kept while Postgres is away: of
	// others they are lost.
	mostCounted = 10_000
	// countPatience is how long one writing may take.
	countPatience = 5 * time.Second
)

// NewCounter returns a Counter. It writes nothing until it runs.
func NewCounter(db *pgxpool.Pool, log *slog.Logger) *Counter {
	return &Counter{db: db, log: log, counts: map[ropeline.PerformanceID]counts{}}
}

// View counts that a performance, which there is, was opened.
func (c *Counter) View(id ropeline.PerformanceID) { c.add(id, counts{views: 1}) }

// Hold counts that something of it is held.
func (c *Counter) Hold(id ropeline.PerformanceID) { c.add(id, counts{holds: 1}) }

func (c *Counter) add(id ropeline.PerformanceID, more counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, known := c.counts[id]
	if !known && len(c.counts) >= mostCounted {
		return
	}
	c.counts[id] = counts{now.views + more.views, now.holds + more.holds}
}

// Run writes what was counted until ctx ends, and what is left then.
func (c *Counter) Run(ctx context.Context) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.write(ctx)
		case <-ctx.Done():
			c.write(context.WithoutCancel(ctx))
			return nil
		}
	}
}

// write writes what was counted so far. What cannot be written is kept for the next time.
func (c *Counter) write(ctx context.Context) {
	c.mu.Lock()
	written := c.counts
	c.counts = map[ropeline.PerformanceID]counts{}
	c.mu.Unlock()
	if len(written) == 0 {
		return
	}
	ids := slices.Sorted(maps.Keys(written)) // so that no two cores wait for each other
	views, holds := make([]int64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		views[i], holds[i] = written[id].views, written[id].holds
	}
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	_, err := c.db.Exec(ctx, `
		insert into insight_counts as n (performance_id, hour, views, holds)
		select id, date_trunc('hour', now(), 'UTC'), views, holds from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as u (id, views, holds)
		where exists (select from performances p where p.id = u.id)
		on conflict (performance_id, hour) do update set views = n.views + excluded.views, holds = n.holds + excluded.holds`, ids, views, holds)
	if err != nil {
		c.log.Warn("counts of views and holds are written later", "performances", len(ids), "err", err)
		for id, n := range written {
			c.add(id, n)
		}
	}
}
