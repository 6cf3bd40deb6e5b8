package order

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/batch"
)

const (
	// groupSize is how many purchases one transaction takes at most. A group of
	// so many costs Postgres less than a fifth of what as many transactions cost;
	// of more there would be more that run alone when one is bad.
	groupSize = 64
	// groupBacklog bounds how many callers wait for a group.
	groupBacklog = 4096
	// groupPatience is how long a group may take. Then its callers go on alone,
	// with what is left of their own time, which is 25 s in all.
	groupPatience = 5 * time.Second
	// groupPace is how long after a group of several the next one begins, at the
	// earliest. Any group costs Postgres about a millisecond of processor time, an
	// order in it half of one: at 500 orders/s groups of ten instead of two leave it
	// half as much to do. Of what a fan waits for a payment it is little.
	groupPace = 20 * time.Millisecond
	// groupWithin is about how long a group takes at most. It is reached where orders
	// are slow one by one, as when all need the same row: at 150 ms each there is
	// nothing to save, and a group of seven would keep its first fan for a second.
	groupWithin = 100 * time.Millisecond
	// groupAbreast is how many performances' groups of one batch are under way
	// at once. There are two batches at most, and 16 connections.
	groupAbreast = 4
)

// purchase is what one caller has written: its attempt and, when that is
// recorded, what it bought.
type purchase struct {
	Attempt
	buyer string
	order *Order
}

// call is a purchase and the caller that waits for it.
type call struct {
	ctx context.Context
	purchase
}

// step carries out one step of a performance's purchases, all of them or none.
// It returns the ids of the attempts that took it; the others were not at the
// step before it any more.
type step func(context.Context, ropeline.PerformanceID, []purchase) ([]string, error)

// group takes one step for all who come to it together: one statement, one
// commit. A group has purchases of one performance only, by which every table
// is spread.
//
// If anything goes wrong with it, it leaves nothing behind and its callers take
// the step one by one, each in its own time: one that is bad fails by itself,
// and one that is slow keeps nobody else. The error may also be of a commit that
// took place. Whoever comes alone then is not at the step before any more, and
// its caller finds that out from its own attempt.
//
// Because a step is one statement, no transaction is ever open while nobody is at
// work on it: what a process that died has sent is carried out or is not.
type group struct {
	take step
	shed bool // if too many wait, refuse; otherwise who comes goes alone, and waits for a connection
	wait *batch.Gatherer[call, bool]

	counts groupMetrics
}

func newGroup(take step, counts groupMetrics) *group {
	g := &group{take: take, counts: counts}
	g.wait = batch.New(groupSize, groupBacklog, groupPatience, g.run).Paced(groupPace).Within(groupWithin)
	return g
}

// errAlone sends the callers of a group that failed on by themselves.
var errAlone = errors.New("the group was rolled back")

// do takes the step for one purchase and reports whether it was at the step
// before. A caller whose ctx ends goes; the step may be taken all the same, if it
// was under way.
func (g *group) do(ctx context.Context, p purchase) (bool, error) {
	taken, err := g.wait.Do(ctx, call{ctx, p})
	switch {
	case errors.Is(err, errAlone), errors.Is(err, batch.ErrClosed), errors.Is(err, batch.ErrFull) && !g.shed:
		ids, err := g.take(ctx, p.Performance, []purchase{p})
		return len(ids) > 0, err
	case err != nil && errors.Is(err, ctx.Err()):
		return false, away("waiting to write attempt", p.ID, err)
	}
	return taken, err
}

// run takes the step for a batch: a group for each performance in it.
func (g *group) run(ctx context.Context, calls []call) []batch.Result[bool] {
	results := make([]batch.Result[bool], len(calls))
	members := map[ropeline.PerformanceID][]int{}
	for i, c := range calls {
		if results[i].Err = c.ctx.Err(); results[i].Err == nil { // else nobody waits for it any more
			members[c.Performance] = append(members[c.Performance], i)
		}
	}
	var groups errgroup.Group
	groups.SetLimit(groupAbreast)
	for id, of := range members {
		groups.Go(func() error {
			g.together(ctx, id, calls, of, results)
			return nil
		})
	}
	_ = groups.Wait() // each has told its callers
	return results
}

// together takes the step for some of the calls, all of one performance.
func (g *group) together(ctx context.Context, id ropeline.PerformanceID, calls []call, members []int, results []batch.Result[bool]) {
	g.counts.sizes.Observe(float64(len(members)))
	purchases := make([]purchase, len(members))
	for n, i := range members {
		purchases[n] = calls[i].purchase
	}
	ids, err := g.take(ctx, id, purchases)
	if err != nil && (len(members) > 1 || ctx.Err() != nil) { // one that was alone already has its own error
		g.counts.broken.Inc()
		err = errAlone
	}
	for _, i := range members {
		results[i] = batch.Result[bool]{Value: slices.Contains(ids, calls[i].ID), Err: err}
	}
}
