package order

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/payment"
)

// Worker does what no fan waits for: it puts holds that have run out back on
// sale, settles attempts that were left half done, and compares our payments with
// the provider's. Several may run.
type Worker struct {
	sweeper      *hold.Sweeper
	settler      *Settler
	compareEvery time.Duration
}

// WorkerConfig is what a Worker needs; zero times take the defaults.
type WorkerConfig struct {
	Postgres *pgxpool.Pool
	Redis    redis.UniversalClient
	Provider payment.Provider
	Sessions hold.Sessions         // kept for as long as what they hold; nil: none is
	Metrics  prometheus.Registerer // absent: nothing is registered
	Log      *slog.Logger

	SweepEvery   time.Duration // 250 ms: a hold's units are back at most this late
	SettleEvery  time.Duration // 2 s
	CompareEvery time.Duration // CompareEvery
	Idle         time.Duration // Idle
}

// NewWorker returns a Worker.
func NewWorker(c WorkerConfig) *Worker {
	fallback := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	fallback(&c.SweepEvery, 250*time.Millisecond)
	fallback(&c.SettleEvery, 2*time.Second)
	fallback(&c.CompareEvery, CompareEvery)
	fallback(&c.Idle, Idle)
	shows := catalogue.New(c.Postgres, time.Now)
	holds := hold.New(c.Redis).Keeping(c.Sessions)
	counts := newMetrics(c.Metrics)
	w := &Worker{
		sweeper: &hold.Sweeper{Holds: holds, Performances: shows.Performances, Every: c.SweepEvery, Log: c.Log,
			Done: func(n int, err error) { counts.round(taskSweep, n, err) }},
		settler: NewSettler(NewStore(c.Postgres, shows), holds, c.Provider, c.Idle, c.SettleEvery, c.Log),
	}
	w.settler.metrics, w.compareEvery = counts, c.CompareEvery
	w.settler.store.Watch(c.Metrics)
	return w
}

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	defer w.settler.store.Close()
	defer w.settler.holds.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.sweeper.Run(ctx) })
	g.Go(func() error { return w.settler.Run(ctx) })
	g.Go(func() error { return w.settler.RunComparison(ctx, w.compareEvery) })
	return g.Wait()
}
