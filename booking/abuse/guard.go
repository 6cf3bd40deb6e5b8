package abuse

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

// Config is what a Guard needs.
type Config struct {
	Postgres *pgxpool.Pool
	Redis    redis.UniversalClient
	Policy   Policy
	Keys     Keys
	Metrics  prometheus.Registerer // absent: nothing is registered
	Log      *slog.Logger
	Now      func() time.Time // nil: the clocks of Redis and Postgres, and ours for how long a wait lasts
}

// Guard says who may hold and pay, and counts what comes of it. Who is blocked and
// who waits it knows by heart, so that nobody else's hold costs a question: what
// happened at another core it hears within a second (blocks), or when it counts the
// next hold itself (waits).
type Guard struct {
	// Static after New.
	db      *pgxpool.Pool
	rdb     redis.UniversalClient
	policy  Policy
	keys    Keys
	log     *slog.Logger
	fixed   func() time.Time
	metrics *metrics

	reading chan struct{} // has one element while blocks are read
	telling chan struct{} // and while points are counted that were noted

	mu      sync.Mutex // guards what follows
	pending map[mark]float64
	waits   map[mark]time.Time
	blocks  map[mark]Block
	read    bool      // blocks were read once
	changed time.Time // of the newest of them, by Postgres' clock
}

const (
	// pendingMost bounds whose points wait to be counted, and waitsMost whose waits are
	// known by heart: who is beyond is not counted, or is found to wait when they are.
	pendingMost = 20_000
	waitsMost   = 50_000
	// scoreMost is how many are counted by one run of the script: a third of a
	// millisecond, in which Redis serves nobody else.
	scoreMost = 32
	// flushEvery is how late a hold is counted, readEvery how late a block of another
	// core holds.
	flushEvery = 100 * time.Millisecond
	readEvery  = time.Second
	// purgeEvery is how often blocks that are over are looked for.
	purgeEvery = 10 * time.Minute
	// patience is how long we wait for Redis or Postgres where no request does.
	patience = 5 * time.Second
)

// New returns a Guard.
func New(c Config) *Guard {
	g := &Guard{
		db: c.Postgres, rdb: c.Redis, policy: c.Policy, keys: c.Keys, log: c.Log, fixed: c.Now,
		reading: make(chan struct{}, 1), telling: make(chan struct{}, 1), pending: map[mark]float64{}, waits: map[mark]time.Time{}, blocks: map[mark]Block{},
	}
	g.metrics = newMetrics(c.Metrics, g)
	return g
}

func (g *Guard) now() time.Time {
	if g.fixed != nil {
		return g.fixed()
	}
	return time.Now()
}

// Run counts holds and reads blocks until ctx ends. What was not counted by then is
// counted on the way out.
func (g *Guard) Run(ctx context.Context) error {
	bounded := func(ctx context.Context, what string, do func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := do(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("abuse: "+what, "err", err)
		}
	}
	flush, read, purge := time.NewTicker(flushEvery), time.NewTicker(readEvery), time.NewTicker(purgeEvery)
	defer flush.Stop()
	defer read.Stop()
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			bounded(context.WithoutCancel(ctx), "counting what is left", g.Flush)
			return nil
		case <-flush.C:
			bounded(ctx, "counting holds", g.Flush)
		case <-read.C:
			bounded(ctx, "reading who is blocked", g.Read)
		case <-purge.C:
			bounded(ctx, "ending blocks", g.Purge)
		}
	}
}

// Hold fails if somebody may not take places now: with a problem that says why, until
// when, and what to do. Else held counts the hold, once it is made.
func (g *Guard) Hold(ctx context.Context, w Who) (held func(), err error) {
	subjects := g.counted(w)
	if err := g.may(ctx, Holds, subjects); err != nil {
		return nil, err
	}
	return func() { g.add(Holds, subjects, g.policy.Points.Hold) }, nil
}

// may fails if one of the subjects is blocked, or waits. Who holds too much may pay.
func (g *Guard) may(ctx context.Context, s Signal, subjects []Subject) error {
	if err := g.known(ctx); err != nil {
		return err
	}
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, subject := range subjects {
		for _, signal := range []Signal{Staff, Payments, Holds} {
			b, found := g.blocks[mark{signal, subject}]
			if found && b.Until.After(now) && (signal != Holds || s == Holds) {
				return blocked(b, now)
			}
		}
		if until, found := g.waits[mark{s, subject}]; found && until.After(now) {
			return slowed(mark{s, subject}, until.Sub(now))
		}
	}
	return nil
}

// known makes sure that blocks were read once: until then nobody may anything.
func (g *Guard) known(ctx context.Context) error {
	g.mu.Lock()
	read := g.read
	g.mu.Unlock()
	if read {
		return nil
	}
	return g.Read(ctx)
}

// add notes points, to be counted soon.
func (g *Guard) add(s Signal, subjects []Subject, points float64) {
	if points == 0 {
		return
	}
	ladders := g.policy.ladders(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, subject := range subjects {
		if ladders.of(subject.Kind).Slow == 0 {
			continue
		}
		m := mark{s, subject}
		if _, there := g.pending[m]; !there && len(g.pending) >= pendingMost {
			g.metrics.uncounted.Inc()
			continue
		}
		g.pending[m] += points
	}
}

// Flush counts what was noted; when it returns, all that was noted before has been. What
// cannot be counted is forgotten.
func (g *Guard) Flush(ctx context.Context) error {
	select {
	case g.telling <- struct{}{}:
		defer func() { <-g.telling }()
	case <-ctx.Done():
		return away("counting holds", ctx.Err())
	}
	g.mu.Lock()
	pending := g.pending
	g.pending = map[mark]float64{}
	g.mu.Unlock()
	points := make([]point, 0, len(pending))
	for m, n := range pending {
		points = append(points, point{m, n})
	}
	for lot := range slices.Chunk(points, scoreMost) {
		if err := g.score(ctx, lot); err != nil {
			g.metrics.uncounted.Add(float64(len(points)))
			return err
		}
		points = points[len(lot):]
	}
	return nil
}

// remember learns how long somebody waits.
func (g *Guard) remember(m mark, wait time.Duration) {
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait <= 0 {
		delete(g.waits, m)
		return
	}
	if len(g.waits) >= waitsMost {
		for other, until := range g.waits {
			if !until.After(now) {
				delete(g.waits, other)
			}
		}
		if len(g.waits) >= waitsMost {
			return
		}
	}
	g.waits[m] = now.Add(wait)
}

func away(what string, err error) error { return ropeline.ErrStoreAway.Because(wrap(what, err)) }
