package loadtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// Options says what to run against what.
type Options struct {
	Profile Profile
	Seed    uint64
	Access  Access
	Check   string // the ropeline program that compares the inventories; "": not compared
	Stack   *Stack // the private one, nil for a foreign installation
	Log     *slog.Logger
}

// run is one run while it lasts.
type run struct {
	Options
	clock  *clock
	meter  *meter
	target *target
	hall   *hall

	fans       []*fan
	intruders  []*intruder
	emptied    bool
	done       int // steps of the profile
	pauses     []Period
	unforeseen []Period
	outage     *Outage // of a crash, nil without one
	quiet      []QuietFan
	slow       Period
	service    time.Duration // of an order, meanwhile
	parties    sync.Map      // by the number of their first fan
}

// Run walks the fans through the sale, audits and judges. An error means that
// the run could not be done; what it found out is in the report.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if o.Stack != nil {
		if err := o.Stack.StartEdges(ctx, o.Profile.Edges); err != nil {
			return nil, err
		}
	}
	r := newRun(o)
	if o.Profile.Abroad && o.Stack != nil {
		if r.hall.abroad, err = openForeign(ctx, o.Stack, r.clock); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.hall.abroad.Close()) }()
	}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	if err := r.makeCodes(ctx); err != nil {
		return nil, err
	}
	if err := r.visitAll(ctx); err != nil {
		return nil, err
	}
	left := time.Until(r.hall.about.LobbyClosesAt)
	if o.Stack != nil && !o.Profile.Demo.SafetyNet && left < lobbyTime {
		return nil, fmt.Errorf("the lobby closes in %v: this machine is too busy to start a stack in time", left)
	}
	if err := r.crowd(ctx, o.Profile.pace(left)); err != nil {
		return nil, err
	}
	lasted := r.clock.since()
	evidence, err := r.gather(ctx)
	if err != nil {
		return nil, err
	}
	return r.report(evidence, lasted), nil
}

func newRun(o Options) *run {
	t := newTarget(o.address())
	return &run{Options: o, clock: &clock{start: time.Now()}, meter: newMeter(), target: t,
		hall: &hall{rooms: t, sale: ropeline.SaleID(o.Access.Sale), board: new(board), checksDraw: o.Profile.ChecksDraw, glances: o.Profile.losses() > 0}}
}

// address is where the sale is served.
func (o Options) address() Address {
	a := Address{Edge: o.Access.Edge, Core: o.Access.Booking}
	if o.Stack != nil {
		a.More = o.Stack.Edges()[1:]
	}
	return a
}

// lobbyTime is what a private stack must leave of the lobby for fans to come.
const lobbyTime = time.Second

// Numbers of the addresses that are not a fan's.
const (
	addressLooker   = 3_000_000
	addressIntruder = 3_000_001
	addressGuesser  = 3_000_005
	addressStaff    = 3_000_010
	addressMoved    = 2_000_000 // and a fan's number: of one who comes back from elsewhere
)

// lookTries is fewer than a fan's: nobody waits for an address that is wrong.
const lookTries = 4

// look fetches the sale and the map of its first performance, once for all.
func (r *run) look(ctx context.Context) error {
	c := newClient(source(addressLooker), r.target, r.clock, r.meter)
	defer c.rest()
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	get := func(path string, out any) error {
		a := c.insist(ctx, rng, lookTries, request{method: http.MethodGet, path: path})
		if !a.ok() {
			return fmt.Errorf("fetching %s: status %d %s", path, a.Status, a.Code)
		}
		return a.decode(out)
	}
	var about wire.Sale
	if err := get("/api/v1/sales/"+string(r.hall.sale), &about); err != nil {
		return err
	}
	if len(about.Performances) == 0 {
		return fmt.Errorf("sale %s sells no performance", r.hall.sale)
	}
	plan := new(seating)
	if err := get("/api/v1/performances/"+string(about.Performances[0]), plan); err != nil {
		return err
	}
	r.hall.about, r.hall.plan = about, plan
	return nil
}

// crowd lets everybody come, and returns when all have gone.
func (r *run) crowd(ctx context.Context, pace Pace) error {
	patient, stop := context.WithTimeout(ctx, r.Profile.Limit)
	defer stop()
	// Who is inside when the limit comes may finish: an errand takes seconds.
	ctx, cancel := context.WithTimeout(ctx, r.Profile.Limit+settling)
	defer cancel()
	knocking, quiet := context.WithCancel(ctx)
	defer quiet()

	var others sync.WaitGroup
	for n := range 2 {
		c := newClient(source(addressIntruder+n), r.target, r.clock, r.meter)
		i, err := newIntruder(ctx, c, r.hall)
		if err != nil {
			return err
		}
		r.intruders = append(r.intruders, i)
		others.Go(func() { i.knock(knocking); c.rest() })
	}
	if r.hall.abroad != nil && !r.Profile.Demo.SafetyNet { // where every trick is a newcomer, if it is quiet
		others.Go(func() { r.hall.abroad.intrude(knocking) })
	}
	others.Go(func() { r.guess(knocking) })
	others.Go(func() { r.watch(knocking, stop, pace.Fans()) })
	var crash error
	var steps error
	others.Go(func() { r.quiet = r.visitQuietly(knocking, pace.At(pace.Fans()-1)) })
	others.Go(func() { steps = r.follow(knocking, pace.Fans()) })
	if r.Profile.Crash {
		others.Go(func() { crash = r.crash(knocking, pace.Fans()) })
	}

	r.admitEverybody(ctx, patient, pace)
	inTime := patient.Err() == nil // everybody finished before anybody was sent home
	quiet()
	others.Wait()
	r.emptied = r.emptied || inTime // watch, which may have set it, has ended
	return errors.Join(crash, steps, context.Cause(ctx))
}

// admitEverybody starts each fan at the moment the pace says, whatever the
// servers do, and waits for all.
func (r *run) admitEverybody(ctx, patient context.Context, pace Pace) {
	begin := time.Now()
	var fans sync.WaitGroup
	calm := pace.Fans() - r.Profile.Calm.Fans
	for n := range pace.Fans() {
		if n == calm {
			r.ebb(ctx)
			begin = time.Now().Add(-pace.At(n))
		}
		if !sleep(ctx, time.Until(begin.Add(pace.At(n)))) {
			break
		}
		f := r.fan(n)
		r.fans = append(r.fans, f)
		r.hall.board.arrived.Add(1)
		fans.Go(func() {
			f.live(ctx, patient)
			r.hall.board.finished.Add(1)
		})
	}
	fans.Wait()
}

// fan makes fan n, the same for the same seed.
func (r *run) fan(n int) *fan {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(n)+1))
	target := r.target
	if r.hall.abroad != nil {
		target = newTarget(Address{Edge: r.hall.abroad.url(), Core: r.Access.Booking})
	}
	c := newClient(source(n), target, r.clock, r.meter)
	p := r.Profile.Mix.persona(rng, hand{r.Seed, n})
	c.edge, c.phone = n, p.Phone
	f := newFan(n, p, rng, c, r.hall)
	if first, any := r.Profile.Mix.friends(n); any {
		shared, _ := r.parties.LoadOrStore(first, newParty(first))
		f.party = shared.(*party)
	}
	return f
}

// watch tells the log how the run stands, and sends everybody home who still
// waits when nothing has moved for long: the line is empty, or stuck, and who
// stayed was forgotten.
func (r *run) watch(ctx context.Context, sendHome func(), fans int) {
	b := r.hall.board
	stall := r.Profile.stall(r.hall.about.ClaimWindow.Duration())
	opens := r.clock.at(r.hall.about.Status.OpensAt)
	for told := time.Now(); sleep(ctx, 250*time.Millisecond); {
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			r.Log.Info("running", "arrived", b.arrived.Load(), "waiting", b.waiting.Load(), "inside", b.inside.Load(),
				"gone", b.finished.Load(), "offers", b.offers.Load())
		}
		moved := max(opens, Moment(b.lastOffer.Load()), Moment(b.woke.Load()))
		open := b.arrived.Load() - b.finished.Load()
		if int(b.arrived.Load()) == fans && open > 0 && open == b.waiting.Load() && r.clock.since()-moved > stall {
			r.Log.Warn("nothing moves any more, sending home who still waits", "waiting", open)
			r.emptied = true
			sendHome()
			return
		}
	}
}

// gather asks everything that is asked at the end.
func (r *run) gather(ctx context.Context) (Evidence, error) {
	e := Evidence{Cap: max(int64(r.Profile.Demo.Cap), r.hall.board.cap.Load()), Rate: int64(r.Profile.Demo.Rate), Pauses: r.pauses, Unforeseen: r.unforeseen,
		Core: r.Access.Booking != "", Emptied: r.emptied, Faults: r.meter.faults, Quiet: r.quiet, Slow: r.slow, Service: r.service}
	for _, f := range r.fans {
		e.Fans = append(e.Fans, f.h)
	}
	if r.hall.abroad != nil {
		e.Abroad = r.hall.abroad.saw()
	}
	if p := r.hall.presale; p != nil {
		e.Codes, e.Guesses, e.Hits, e.Ejected, e.Looked, e.Guessing = len(p.codes), p.guesses, p.hits, p.ejected, p.looked, p.guessing
	}
	for _, i := range r.intruders {
		e.Probes = append(e.Probes, i.probes...)
	}
	c := newClient(source(addressLooker), r.target, r.clock, r.meter)
	defer c.rest()
	now := r.clock.since()
	e.HoldsOver = now + r.hall.about.Hold.Duration()
	due := returns(r.hall.plan.units(), e.Fans, e.HoldsOver)
	e.SoldOutAt = soldOutAt(r.hall.plan.units(), e.Fans)
	var err error
	if e.Shelf, err = watchShelf(ctx, c, r.hall.plan, due, max(now+r.Profile.Settle, e.HoldsOver+noticing)); err != nil {
		return e, err
	}
	if r.Access.Postgres != "" {
		if e.Books, err = Audit(ctx, r.Access.Postgres, r.hall.about, r.clock.start); err != nil {
			return e, err
		}
	}
	if r.Check != "" && r.Access.Redis != "" && r.Access.Postgres != "" {
		if e.Stock, err = checkInventory(ctx, r.Check, r.Access); err != nil {
			return e, err
		}
	}
	return e, nil
}

// crash kills the private stack and its servers when a third of the fans have
// been offered, and starts it again on the same data and address.
func (r *run) crash(ctx context.Context, fans int) error {
	for r.hall.board.offers.Load() < int64(fans/3) {
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("crashing: the run was over before a third of the fans were offered")
		}
	}
	r.Log.Info("killing everything")
	r.outage = &Outage{From: r.clock.since()}
	if err := r.Stack.Kill(); err != nil {
		return err
	}
	if err := r.Stack.Start(ctx, hostOf(r.Stack.Edge)); err != nil {
		return fmt.Errorf("starting again: %w", err)
	}
	r.outage.To = r.clock.since()
	r.Log.Info("running again", "edge", r.Stack.Edge)
	r.Access = r.Stack.Access
	a := r.address()
	r.target.now.Store(&a)
	return nil
}
