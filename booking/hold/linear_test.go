package hold_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// call is one call of the Store: what was asked, and at what time by the clock that
// it was told.
type call struct {
	op      string // hold, any, release, pay, unpay, sell, return, sweep, look
	id      string // of the hold
	session string
	attempt string
	units   []int
	now     time.Time
}

// said is what the caller was told.
type said struct {
	err   error
	hold  hold.Hold
	ended int    // sweep
	free  string // look: a letter a unit, see letters
}

// house is what the whole store is, in sequence: the sequential specification. It is
// a value: a step makes another one.
type house struct {
	owner [linearUnits]string // a hold, or sold
	holds map[string]claim
	back  map[string]bool // units that were given back after they were sold, see returned
}

// returned is a unit that an attempt bought and gave back.
func returned(attempt string, unit int) string { return fmt.Sprint(attempt, ":", unit) }

type claim struct {
	session, attempt string
	state            hold.State
	units            []int
	ends, kept       time.Time
}

const (
	linearLife  = 3 * time.Second
	linearUnits = 8
)

func (h house) with(id string, c claim) house {
	holds := maps.Clone(h.holds)
	if holds == nil {
		holds = map[string]claim{}
	}
	holds[id] = c
	h.holds = holds
	return h
}

func (h house) end(id string, state hold.State) house {
	c := h.holds[id]
	for _, u := range c.units {
		h.owner[u] = ""
		if state == hold.Sold && !h.back[returned(c.attempt, u)] {
			h.owner[u] = "sold"
		}
	}
	c.state = state
	return h.with(id, c)
}

// lapse ends a hold whose time has run out.
func (h house) lapse(id string, now time.Time) house {
	if c := h.holds[id]; c.state == hold.Held && !c.ends.After(now) {
		return h.end(id, hold.Expired)
	}
	return h
}

// step carries out a call and reports whether what was said is right.
func (h house) step(in call, out said) (bool, house) {
	c := h.holds[in.id]
	is := func(want error) bool { return errors.Is(out.err, want) && (want != nil || out.err == nil) }
	switch in.op {
	case "hold", "any":
		return h.claim(in, out)
	case "release":
		switch c.state {
		case hold.Held:
			return is(nil), h.end(in.id, hold.Released)
		case hold.Paying:
			return is(hold.ErrPaying), h
		case hold.Sold:
			return is(hold.ErrSold), h
		}
		return is(nil), h
	case "pay":
		if c.state == hold.Paying && c.attempt != in.attempt {
			return is(hold.ErrPaying), h
		}
		h = h.lapse(in.id, in.now)
		if c = h.holds[in.id]; c.state != hold.Held {
			return is(hold.Hold{State: c.state}.Over()), h
		}
		c.state, c.attempt, c.kept = hold.Paying, in.attempt, c.ends
		return is(nil), h.with(in.id, c)
	case "unpay":
		if c.state != hold.Paying || c.attempt != in.attempt {
			return is(nil), h
		}
		c.state, c.ends = hold.Held, c.kept
		return is(nil), h.with(in.id, c).lapse(in.id, in.now)
	case "sell":
		if c.attempt == in.attempt && c.state == hold.Paying {
			h = h.end(in.id, hold.Sold)
		}
		return is(nil), h
	case "return":
		if h.back = maps.Clone(h.back); h.back == nil {
			h.back = map[string]bool{}
		}
		for _, u := range in.units {
			if once := returned(in.attempt, u); !h.back[once] {
				h.back[once] = true
				if h.owner[u] == "sold" {
					h.owner[u] = ""
				}
			}
		}
		return is(nil), h
	case "sweep":
		n := 0
		for id, c := range h.holds {
			if c.state == hold.Held && !c.ends.After(in.now) {
				h, n = h.end(id, hold.Expired), n+1
			}
		}
		return is(nil) && out.ended == n, h
	case "look":
		return is(nil) && out.free == h.String(), h
	}
	return false, h
}

func (h house) claim(in call, out said) (bool, house) {
	for id, c := range h.holds {
		if c.session != in.session {
			continue
		}
		if h = h.lapse(id, in.now); h.holds[id].state == hold.Held || h.holds[id].state == hold.Paying {
			return errors.Is(out.err, hold.ErrExists), h
		}
	}
	units, none := in.units, error(hold.ErrUnitsTaken)
	if in.op == "any" {
		units, none = h.first(len(in.units)), hold.ErrSoldOut
	}
	for _, u := range units {
		if h.owner[u] != "" {
			units = nil
		}
	}
	if units == nil {
		return errors.Is(out.err, none), h
	}
	for _, u := range units {
		h.owner[u] = in.id
	}
	h = h.with(in.id, claim{session: in.session, state: hold.Held, units: units, ends: in.now.Add(linearLife)})
	return out.err == nil && slices.Equal(out.hold.Units, slices.Sorted(slices.Values(units))), h
}

// first are the first free units, nil if there are not so many.
func (h house) first(n int) (units []int) {
	for u, owner := range h.owner {
		if owner == "" && len(units) < n {
			units = append(units, u)
		}
	}
	if len(units) < n {
		return nil
	}
	return units
}

func (h house) String() string {
	return letters(func(u int) bool { return h.owner[u] != "" }, func(u int) bool { return h.owner[u] == "sold" })
}

// letters shows units: f is free, h held or being paid for, s sold.
func letters(taken, sold func(unit int) bool) string {
	var b [linearUnits]byte
	for u := range b {
		b[u] = 'f'
		if taken(u) {
			b[u] = 'h'
		}
		if sold(u) {
			b[u] = 's'
		}
	}
	return string(b[:])
}

func (h house) equal(o house) bool {
	return h.owner == o.owner && maps.Equal(h.back, o.back) && maps.EqualFunc(h.holds, o.holds, func(a, b claim) bool {
		return a.session == b.session && a.attempt == b.attempt && a.state == b.state && a.ends.Equal(b.ends) && a.kept.Equal(b.kept) && slices.Equal(a.units, b.units)
	})
}

var specification = porcupine.Model{
	Init:              func() any { return house{} },
	Step:              func(state, in, out any) (bool, any) { return state.(house).step(in.(call), out.(said)) },
	Equal:             func(a, b any) bool { return a.(house).equal(b.(house)) },
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
}

// recorder writes down what clients of one performance ask and are told.
type recorder struct {
	rdb   redis.UniversalClient
	store *hold.Store
	id    ropeline.PerformanceID
	began time.Time
	clock atomic.Int64 // ms; each call is told another time, and not in their order

	mu         sync.Mutex
	operations []porcupine.Operation
}

// do carries out one call.
func (r *recorder) do(client int, in call) said {
	ctx, out := context.Background(), said{}
	in.now = time.UnixMilli(r.clock.Add(in.now.UnixMilli())).UTC()
	s := r.store.At(func() time.Time { return in.now })
	wish := hold.Request{ID: in.id, Performance: r.id, Sale: "gala", Session: in.session, SessionEnds: in.now.Add(time.Hour), Life: linearLife}
	asked := time.Since(r.began)
	switch in.op {
	case "hold":
		out.hold, out.err = s.Units(ctx, wish, in.units)
	case "any":
		out.hold, out.err = s.Any(ctx, wish, len(in.units), catalogue.Range{Count: linearUnits})
	case "release":
		out.err = s.Release(ctx, r.id, in.id, in.session)
	case "pay":
		_, out.err = s.Pay(ctx, r.id, in.id, in.session, in.attempt)
	case "unpay":
		out.err = s.Unpay(ctx, r.id, in.id, in.attempt, 0)
	case "sell":
		out.err = s.Sell(ctx, r.id, in.id, in.attempt, in.units)
	case "return":
		out.err = s.Return(ctx, r.id, in.attempt, "", in.units)
	case "sweep":
		out.ended, out.err = s.Sweep(ctx, r.id, 100)
	case "look":
		var b inventory.Bitmaps
		if b, out.err = inventory.New(r.rdb).Bitmaps(ctx, r.id); out.err == nil {
			out.free = letters(func(u int) bool { return b.Taken.Has(u) }, func(u int) bool { return b.Sold.Has(u) })
		}
	}
	answered := time.Since(r.began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(asked), Return: int64(answered)})
	return out
}

// later is a call at a time that is so much after another's.
func later(most int, rnd *rand.Rand) time.Time { return time.UnixMilli(rnd.Int64N(int64(most))) }

// fan holds some units and does with them what fans do.
func (r *recorder) fan(client int, rnd *rand.Rand) {
	session := fmt.Sprint("session ", client/2) // two tabs have one
	for range 6 {
		in := call{op: "hold", id: uuid.NewString(), session: session, units: rnd.Perm(linearUnits)[:1+rnd.IntN(3)], now: later(300, rnd)}
		if rnd.IntN(3) == 0 {
			in.op = "any"
		}
		out := r.do(client, in)
		if out.err != nil {
			continue
		}
		in.attempt, in.units, in.now = uuid.NewString(), out.hold.Units, later(1500, rnd)
		for _, op := range [][]string{{"release"}, {"pay", "unpay", "release"}, {"pay", "unpay"}, {"pay", "sell"}, {"pay", "release", "unpay"}, {"release", "pay"},
			{"pay", "sell", "return", "return"}, {"pay", "return", "sell"}, {}}[rnd.IntN(9)] {
			in.op = op
			if out := r.do(client, in); op == "pay" && out.err != nil {
				break // nothing is sold that was not paid for
			}
		}
	}
}

// Clients hold, buy, give up, cancel and let run out the same few units at once, while a
// sweeper sweeps and somebody looks: there is an order of all these calls, one after
// the other, in which everybody would have been told the same, and in which each takes
// place while it runs. So no unit has two owners, not even for a moment. `make test-proof`
// does it a few hundred times.
func TestHistoriesAreLinearizable(t *testing.T) {
	t.Parallel()
	rounds := 5
	if os.Getenv("ROPELINE_TEST_PROOF") == "full" {
		rounds = 300
	}
	calls := 0
	for round := range rounds {
		rdb := devtest.Redis(t)
		r := recorder{rdb: rdb, store: hold.New(rdb), id: ropeline.PerformanceID(uuid.NewString()), began: time.Now()}
		r.clock.Store(1_800_000_000_000)
		if _, err := inventory.New(r.rdb).Rebuild(t.Context(), r.id, recorded{Units: linearUnits}); err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		for n := range 8 {
			rnd := rand.New(rand.NewPCG(uint64(round), uint64(n)))
			clients.Go(func() {
				switch n {
				case 0:
					for range 12 {
						r.do(n, call{op: "sweep", now: later(800, rnd)})
					}
				case 1:
					for range 20 {
						r.do(n, call{op: "look", now: later(1, rnd)})
					}
				default:
					r.fan(n, rnd)
				}
			})
		}
		clients.Wait()
		calls += len(r.operations)
		if result := porcupine.CheckOperationsTimeout(specification, r.operations, time.Minute); result != porcupine.Ok {
			for _, o := range r.operations {
				t.Logf("%d: %8d–%8d µs %s", o.ClientId, o.Call/1000, o.Return/1000, specification.DescribeOperation(o.Input, o.Output))
			}
			t.Fatalf("round %d: the history of %d calls is %s", round, len(r.operations), result)
		}
	}
	t.Logf("%d histories of %d calls in all", rounds, calls)
}
