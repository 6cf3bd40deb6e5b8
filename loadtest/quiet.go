package loadtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ropeline/ropeline/edge/wire"
)

// Quiet is who comes to the sales beside the crowd's (Demo.Quiet), all of which
// the edge follows.
type Quiet struct {
	Visited int // so many of them
	Fans    int // by so many each
}

// QuietFan is what one of them saw.
type QuietFan struct {
	Sale    string
	Join    Call   // the last try
	Asked   Moment // the first
	Shown   Moment // a position, or the turn
	Offered Moment // 0: never
	Entered Moment // 0: the offer was not honored
}

// What is promised to somebody who is alone in a sale that has room: nothing
// that a crowd next door could be an excuse for.
const (
	quietJoin   = time.Second
	quietOffer  = 2 * time.Second // from the join to the turn
	quietGlance = 200 * time.Millisecond
)

// addressQuiet is the number of the first of their addresses.
const addressQuiet = 2_500_000

func quietSale(of string, n int) string { return fmt.Sprintf("%s-quiet-%d", of, n) }

// visitAll has the edge follow every quiet sale, as a link that is opened does.
func (r *run) visitAll(ctx context.Context) error {
	c := newClient(source(addressLooker), r.target, r.clock, r.meter)
	defer c.rest()
	rng := rand.New(rand.NewPCG(r.Seed, 1))
	for n := range r.Profile.Demo.Quiet {
		a := c.insist(ctx, rng, lookTries, request{method: http.MethodGet, path: "/api/v1/sales/" + quietSale(r.Access.Sale, n)})
		if !a.ok() {
			return fmt.Errorf("looking at quiet sale %d: status %d %s", n, a.Status, a.Code)
		}
	}
	return nil
}

// visitQuietly lets the quiet sales' fans come, spread over the time in which the
// crowd does, and returns what they saw.
func (r *run) visitQuietly(ctx context.Context, over time.Duration) []QuietFan {
	q := r.Profile.Quiet
	found := make([]QuietFan, q.Visited*q.Fans)
	var fans sync.WaitGroup
	for i := range found {
		fans.Go(func() {
			// One after the other in each sale, the sales side by side, and all of them spread.
			at := time.Duration(i+1) * over / time.Duration(len(found)+1)
			if sleep(ctx, at) {
				found[i] = r.visitOne(ctx, i, quietSale(r.Access.Sale, (i%q.Visited)*r.Profile.Demo.Quiet/q.Visited))
			}
		})
	}
	fans.Wait()
	return found
}

// visitOne joins a quiet sale, waits for the turn, goes in and leaves.
func (r *run) visitOne(ctx context.Context, n int, sale string) QuietFan {
	c := newClient(source(addressQuiet+n), r.target, r.clock, r.meter)
	defer c.rest()
	rng := rand.New(rand.NewPCG(r.Seed, uint64(addressQuiet+n)))
	f := QuietFan{Sale: sale, Asked: r.clock.since()}
	path := "/api/v1/sales/" + sale
	a := c.insist(ctx, rng, tries, request{method: http.MethodPost, path: path + "/place"})
	f.Join = a.Call
	var s wire.Status
	if !a.ok() || a.decode(&s) != nil {
		return f
	}
	ticket := s.Ticket
	for s.Offer == nil && r.clock.since()-f.Join.Answered < patience && sleep(ctx, quietGlance) {
		a := c.do(ctx, request{method: http.MethodGet, path: path + "/place", bearer: ticket})
		var seen wire.Status
		if !a.ok() || a.decode(&seen) != nil {
			continue
		}
		if s = seen; s.Ticket != "" {
			ticket = s.Ticket
		}
		if f.Shown == 0 && (s.Position != nil || s.Offer != nil) {
			f.Shown = a.Answered
		}
	}
	if s.Offer == nil {
		return f
	}
	f.Offered = r.clock.since()
	var in wire.Admission
	if a := c.insist(ctx, rng, tries, request{method: http.MethodPost, path: path + "/place/claim", bearer: ticket}); a.ok() && a.decode(&in) == nil {
		f.Entered = a.Answered
	}
	c.insist(ctx, rng, tries, request{method: http.MethodDelete, path: path + "/place", bearer: ticket})
	return f
}

// judgeQuiet says whether those few were served as if there were no crowd.
func judgeQuiet(e Evidence) finding {
	var f finding
	var slowestJoin, slowestTurn time.Duration
	for i, q := range e.Quiet {
		f.facts++
		join, turn := q.Join.Answered-q.Asked, q.Offered-q.Join.Answered
		switch {
		case q.Join.Status < 200 || q.Join.Status > 299:
			f.breach("quiet fan %d of %s got no place: status %d after %v", i, q.Sale, q.Join.Status, join)
			continue
		case q.Offered == 0:
			f.breach("quiet fan %d of %s was never offered, though there was room", i, q.Sale)
			continue
		case join > quietJoin || turn > quietOffer:
			f.breach("quiet fan %d of %s waited %v for a place and %v for the turn, though there was room", i, q.Sale, join, turn)
		case q.Entered == 0:
			f.breach("quiet fan %d of %s was offered and not let in", i, q.Sale)
		}
		slowestJoin, slowestTurn = max(slowestJoin, join), max(slowestTurn, turn)
	}
	f.seen = fmt.Sprintf("slowest join %v, slowest turn %v", slowestJoin.Round(time.Millisecond), slowestTurn.Round(time.Millisecond))
	return f
}
