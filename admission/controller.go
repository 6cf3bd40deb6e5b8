package admission

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// Controller moves the lines: for each published sale it takes a lease, draws
// the lobby when it has closed and ticks. Any number of controllers may run;
// the lease only saves work, the cap is the script's.
type Controller struct {
	store   *queue.Store
	beacons *Beacons
	scribe  *Scribe
	limits  *limitKeeper
	shop    *shop
	name    string
	metrics *metrics
	moving  atomic.Int64 // sales
	calm    time.Duration
	turns   chan struct{} // holds one for each calm tick that is under way
	log     *slog.Logger
}

const (
	// lease is how long a sale stands still when its controller dies, until the
	// next tick of another one: two seconds are promised. A controller that is
	// slower than that loses it, and nothing else.
	lease = time.Second
	// discovery is how often a controller looks for new sales.
	discovery = time.Second
	// calmTick is how often a sale is ticked where nothing can happen before its
	// lobby closes or somebody comes, who wakes it. At 1,000 sales that is most of
	// what Redis has to do; and edges still hear that the line is there.
	calmTick = 500 * time.Millisecond
	// calmTickMany is for 700 sales and more; in between it grows with them. It is so
	// much less than the lease that a tick may be late: else each tick would be that of
	// a new lead, and two controllers took a sale from each other.
	calmTickMany = 700 * time.Millisecond
	// calmTicks is how many of these are under way at once. A tick is about eight
	// calls one after the other: 1,000 ticks at once took 1 to 2 s each on a busy
	// machine, longer than the lease, and so did that of a sale to which somebody
	// had just come. There are more connections to Redis than that.
	calmTicks = 12
	// wakeGap is how long after a tick a sale may be woken for the next: who comes
	// to a line where nobody stands wakes it, and they may come by the hundred.
	wakeGap = queue.TickInterval / 2
	// endedTick is how often an ended sale's sessions are looked through, by
	// whichever controller: nobody keeps the lead for that long.
	endedTick = 5 * time.Second
)

// NewController returns a Controller with a random name, and no beacons.
func NewController(store *queue.Store, log *slog.Logger) *Controller {
	name := uuid.NewString()
	return &Controller{store: store, beacons: &Beacons{}, scribe: newScribe(store, name, log), limits: newLimitKeeper(store, log), name: name, shop: &shop{}, metrics: newMetrics(nil),
		calm: calmTick, turns: make(chan struct{}, calmTicks), log: log}
}

// WithBeacons lets draws ask these sources.
func (c *Controller) WithBeacons(b *Beacons) *Controller {
	c.beacons = b
	return c
}

// WithMetrics registers what the controller counts and sees, with nil nothing.
func (c *Controller) WithMetrics(reg prometheus.Registerer) *Controller {
	c.metrics = newMetrics(reg)
	c.scribe.metrics, c.metrics.probes = c.metrics, c.shop.probes
	return c
}

// WithLedger lets ledgers be kept in books and their heads be signed; either may
// be nil.
func (c *Controller) WithLedger(books Books, signer *Signer) *Controller {
	c.scribe.books, c.scribe.signer = books, signer
	return c
}

// WithLimits lets limits be put back from a book that Redis lost when it failed over.
func (c *Controller) WithLimits(b *LimitBook) *Controller {
	c.store.UseLimitBook(b)
	c.limits.book = b
	return c
}

// WithProbes lets the automatic mode listen to probes, and metrics tell of them.
// Somebody must run them.
func (c *Controller) WithProbes(p *Probes) *Controller {
	c.shop.probes, c.metrics.probes = p, p
	return c
}

// Run moves every published sale's line until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	var sales sync.WaitGroup
	defer sales.Wait()
	sales.Go(func() { c.scribe.Run(ctx) })
	sales.Go(func() { c.limits.run(ctx) })
	sales.Go(func() { (&clerk{c.store, c.name, c.log}).run(ctx) })
	known := map[ropeline.SaleID]chan struct{}{} // holds one: the sale is to be ticked
	woken := make(chan ropeline.SaleID, wokenBacklog)
	sales.Go(func() { c.store.Woken(ctx, woken) })
	every := time.NewTicker(discovery)
	defer every.Stop()
	for {
		ids, err := c.store.Sales(ctx)
		if err != nil && ctx.Err() == nil {
			c.metrics.unknown.Inc()
			c.log.Warn("looking for sales", "err", err)
		}
		if edges, err := c.store.Reports(ctx); err == nil {
			c.metrics.sawEdges(edges)
		}
		for _, id := range ids {
			if known[id] == nil {
				wake := make(chan struct{}, 1)
				known[id] = wake
				c.moving.Store(int64(len(known)))
				sales.Go(func() { c.move(ctx, id, wake) })
			}
		}
		for looked := false; !looked; {
			select {
			case <-ctx.Done():
				return nil
			case <-every.C:
				looked = true
			case id := <-woken:
				select {
				case known[id] <- struct{}{}:
				default: // it is awake, or not known yet
				}
			}
		}
	}
}

// wokenBacklog is how many sales may be woken while this looks for new ones; what
// is lost costs a tick.
const wokenBacklog = 1000

// move ticks one sale until ctx ends, and at once when it is woken: somebody has
// steered it, which edges hear of by the tick, or came to a line where nobody stood.
func (c *Controller) move(ctx context.Context, sale ropeline.SaleID, wake <-chan struct{}) {
	log := c.log.With("sale", sale)
	var faults, mends, nears throttle
	chart := chart{shop: c.shop}
	pilot := &pilot{shop: c.shop, metrics: c.metrics, log: c.log}
	var pacer pacer
	pause, calm, begun := queue.TickInterval, true, time.Time{} // nothing is known of it
	for {
		done, ok := c.await(ctx, pause, calm, begun, wake)
		if !ok {
			return
		}
		begun = time.Now()
		phase, next, err := c.step(ctx, sale, func(s queue.State) (steered bool, err error) {
			now := time.Now()
			err = errors.Join(chart.keep(ctx, c.store, sale, s), pilot.fly(ctx, c.store, c.name, sale, s, now), pacer.look(ctx, c.store, c.metrics, sale, s, now))
			if nears.allow(now) {
				err = errors.Join(err, c.store.FindNear(ctx, sale))
			}
			return pilot.flies(s), err
		})
		done()
		if err != nil && ctx.Err() == nil && faults.allow(time.Now()) {
			log.Warn("moving the line", "err", err)
		}
		if (phase == ropeline.PhaseOpen || phase == ropeline.PhaseEnded) && mends.allow(time.Now()) {
			c.mend(ctx, sale)
		}
		pause, calm = next, phase != "" && next >= c.calmPause()
	}
}

// await waits until a sale is to be ticked, and for its turn if nothing is known
// to happen there: what is woken, or has people waiting, goes past all those. It
// returns what to call after the tick, and false when ctx has ended.
func (c *Controller) await(ctx context.Context, pause time.Duration, calm bool, begun time.Time, wake <-chan struct{}) (done func(), ok bool) {
	nothing := func() {}
	select {
	case <-ctx.Done():
		return nothing, false
	case <-wake:
		return nothing, rest(ctx, wakeGap-time.Since(begun))
	case <-time.After(pause):
	}
	if !calm {
		return nothing, true
	}
	select {
	case <-ctx.Done():
		return nothing, false
	case <-wake:
		return nothing, true
	case c.turns <- struct{}{}:
		return func() { <-c.turns }, true
	}
}

// rest waits, and reports whether ctx goes on.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// calmPause is how long a sale is not ticked where nothing happens.
func (c *Controller) calmPause() time.Duration {
	return max(c.calm, min(time.Duration(c.moving.Load())*time.Millisecond, calmTickMany))
}

// pauseBeside is how long who does not lead a sale need not ask: until the lease runs
// out, unless it is kept meanwhile. That takes a lead over as soon as can be, and costs
// about 2.3 calls a second and sale (measured with 200), where asking at each tick took 5.
func pauseBeside(left time.Duration) time.Duration {
	if left <= 0 {
		return queue.TickInterval
	}
	return min(left, lease) + time.Millisecond // Redis counts whole ones
}

// pauseAfter is how long a sale that is like this need not be ticked.
func (c *Controller) pauseAfter(s queue.State, steered bool) time.Duration {
	switch phase := s.Phase(); {
	case phase == ropeline.PhaseEnded:
		return max(endedTick, c.calmPause())
	case s.Settling || steered: // the automatic mode goes by who is inside
	case phase == ropeline.PhaseLobby:
		return max(queue.TickInterval, min(c.calmPause(), s.ClosesAt.Sub(s.Now)))
	case phase == ropeline.PhaseOpen && s.Waiting() == 0 && s.Offered == 0:
		return c.calmPause()
	}
	return queue.TickInterval
}

// step does one tick, and the draw when it is due. It returns the phase, "" if
// another controller leads, and how long the sale need not be ticked; led is told
// what the last tick saw, and tells whether the automatic mode steers the sale.
func (c *Controller) step(ctx context.Context, sale ropeline.SaleID, led func(queue.State) (steered bool, err error)) (ropeline.Phase, time.Duration, error) {
	for {
		began := time.Now()
		state, err := c.store.Tick(ctx, sale, c.name, lease)
		c.metrics.ticked(sale, state, err, began, time.Now())
		c.limits.saw(sale, state, err)
		if state.Jumped != 0 {
			c.log.Error("the clock of Redis was set; slots in use keep their time, but look after it: the sale's times and tokens follow that clock",
				"sale", sale, "by", state.Jumped)
		}
		if err != nil || !state.Leads {
			return "", pauseBeside(state.Lease), err
		}
		phase := state.Phase()
		if phase == ropeline.PhaseDrawing && !state.Settling {
			c.log.Info("drawing the lobby", "sale", sale, "entrants", state.Collected)
			if drawn, err := c.draw(ctx, sale); err != nil || !drawn {
				return phase, queue.TickInterval, err
			}
			continue
		}
		if !state.More {
			steered, err := led(state.State)
			return phase, c.pauseAfter(state.State, steered), err
		}
	}
}

// draw draws a sale's lobby, and reports whether it did: a beacon may have to be
// waited for.
func (c *Controller) draw(ctx context.Context, sale ropeline.SaleID) (bool, error) {
	err := c.store.Draw(ctx, sale)
	pending, waits := errors.AsType[*queue.BeaconPendingError](err)
	if err != nil && !waits {
		return false, fmt.Errorf("drawing: %w", err)
	}
	if !waits || time.Now().Before(pending.At) {
		return !waits, nil
	}
	value, asked := c.beacons.Value(ctx, pending.Name, pending.At)
	if errors.Is(asked, errAskedJustNow) {
		return false, nil
	}
	if asked != nil {
		decided, err := c.store.GiveBeacon(ctx, sale, nil)
		if decided {
			c.log.Warn("drawing without the beacon, as announced", "sale", sale, "beacon", pending.Name, "err", asked)
		}
		return false, errors.Join(err, asked)
	}
	if _, err := c.store.GiveBeacon(ctx, sale, &value); err != nil && !errors.Is(err, queue.ErrBeaconDecided) && !errors.Is(err, queue.ErrBeaconNotAwaited) {
		return false, fmt.Errorf("giving the beacon to the draw: %w", err)
	}
	return false, nil
}

// mend looks now and then whether Redis has lost who took part in the draw.
func (c *Controller) mend(ctx context.Context, sale ropeline.SaleID) {
	mended, err := c.store.MendEntrants(ctx, sale)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("looking after the entrants", "sale", sale, "err", err)
	}
	if mended {
		c.log.Info("wrote the entrants back that Redis had lost", "sale", sale)
	}
}

// throttle lets something that is repeated through every few seconds.
type throttle struct{ last time.Time }

func (t *throttle) allow(now time.Time) bool {
	if now.Sub(t.last) < 5*time.Second {
		return false
	}
	t.last = now
	return true
}
