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
	shop    *shop
	name    string
	metrics *metrics
	moving  atomic.Int64 // sales
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
	// lobby closes or somebody comes. At 1,000 sales that is most of what Redis
	// has to do; and an edge still hears of a change of the limits in time.
	calmTick     = 500 * time.Millisecond
	calmTickMany = time.Second // from 1,000 sales on; in between it grows with them
	// endedTick is how often an ended sale's sessions are looked through.
	endedTick = 5 * time.Second
)

// NewController returns a Controller with a random name, and no beacons.
func NewController(store *queue.Store, log *slog.Logger) *Controller {
	name := uuid.NewString()
	return &Controller{store: store, beacons: &Beacons{}, scribe: newScribe(store, name, log), name: name, shop: &shop{}, metrics: newMetrics(nil), log: log}
}

// WithBeacons lets draws ask these sources.
func (c *Controller) WithBeacons(b *Beacons) *Controller {
	c.beacons = b
	return c
}

// WithMetrics registers what the controller counts and sees, with nil nothing.
func (c *Controller) WithMetrics(reg prometheus.Registerer) *Controller {
	c.metrics = newMetrics(reg)
	return c
}

// WithLedger lets ledgers be kept in books and their heads be signed; either may
// be nil.
func (c *Controller) WithLedger(books Books, signer *Signer) *Controller {
	c.scribe.books, c.scribe.signer = books, signer
	return c
}

// WithProbes lets the automatic mode listen to probes. Somebody must run them.
func (c *Controller) WithProbes(p *Probes) *Controller {
	c.shop.probes = p
	return c
}

// Run moves every published sale's line until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	var sales sync.WaitGroup
	defer sales.Wait()
	sales.Go(func() { c.scribe.Run(ctx) })
	sales.Go(func() { (&clerk{c.store, c.name, c.log}).run(ctx) })
	known := map[ropeline.SaleID]chan struct{}{} // holds one: somebody has steered the sale
	steered := make(chan ropeline.SaleID, steeredBacklog)
	sales.Go(func() { c.store.Steered(ctx, steered) })
	every := time.NewTicker(discovery)
	defer every.Stop()
	for {
		ids, err := c.store.Sales(ctx)
		if err != nil && ctx.Err() == nil {
			c.metrics.unknown.Inc()
			c.log.Warn("looking for sales", "err", err)
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
			case id := <-steered:
				select {
				case known[id] <- struct{}{}:
				default: // it is awake, or not known yet
				}
			}
		}
	}
}

// steeredBacklog is how many sales may be steered while this looks for new ones;
// what is lost costs a tick.
const steeredBacklog = 100

// move ticks one sale until ctx ends, and at once when it is woken: edges hear of
// a change by the tick.
func (c *Controller) move(ctx context.Context, sale ropeline.SaleID, wake <-chan struct{}) {
	log := c.log.With("sale", sale)
	var faults, mends throttle
	chart := chart{shop: c.shop}
	pilot := &pilot{shop: c.shop, log: c.log}
	pause := queue.TickInterval
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-time.After(pause):
		}
		phase, next, err := c.step(ctx, sale, &chart, pilot)
		if err != nil && ctx.Err() == nil && faults.allow(time.Now()) {
			log.Warn("moving the line", "err", err)
		}
		if (phase == ropeline.PhaseOpen || phase == ropeline.PhaseEnded) && mends.allow(time.Now()) {
			c.mend(ctx, sale)
		}
		pause = next
	}
}

// pauseAfter is how long a sale that is like this need not be ticked.
func (c *Controller) pauseAfter(s queue.State) time.Duration {
	calm := min(max(calmTick, time.Duration(c.moving.Load())*time.Millisecond), calmTickMany)
	switch phase := s.Phase(); {
	case phase == ropeline.PhaseEnded:
		return endedTick
	case s.Settling:
	case phase == ropeline.PhaseLobby:
		return max(queue.TickInterval, min(calm, s.ClosesAt.Sub(s.Now)))
	case phase == ropeline.PhaseOpen && s.Waiting() == 0 && s.Offered == 0:
		return calm
	}
	return queue.TickInterval
}

// step does one tick, and the draw when it is due. It returns the phase, "" if
// another controller leads, and how long the sale need not be ticked.
func (c *Controller) step(ctx context.Context, sale ropeline.SaleID, chart *chart, pilot *pilot) (ropeline.Phase, time.Duration, error) {
	for {
		began := time.Now()
		state, err := c.store.Tick(ctx, sale, c.name, lease)
		c.metrics.ticked(sale, state, err, began, time.Now())
		if state.Jumped != 0 {
			c.log.Error("the clock of Redis was set; slots in use keep their time, but look after it: the sale's times and tokens follow that clock",
				"sale", sale, "by", state.Jumped)
		}
		if err != nil || !state.Leads {
			return "", queue.TickInterval, err
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
			return phase, c.pauseAfter(state.State), errors.Join(chart.keep(ctx, c.store, sale, state.State), pilot.fly(ctx, c.store, c.name, sale, state.State, time.Now()))
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
