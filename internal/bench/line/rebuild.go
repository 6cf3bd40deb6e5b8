package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

const (
	rebuildCap = 100
	rebuildRun = 300 // turns before the loss, and after it
)

// rebuildRows measures how long a line takes to stand again after Redis has lost
// everything, and what was broken.
func rebuildRows(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	waiting := max(4*rebuildRun, p.Of(100_000))
	var settled []float64
	var broken damage
	for run := range p.Runs {
		took, d, err := measureRebuild(ctx, out, waiting)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "run %d: %5.2f s until the order was settled; %+v\n", run+1, took, d)
		settled = append(settled, took)
		broken.add(d)
	}
	return []bench.Row{
		bench.Alone(fmt.Sprintf("line rebuilt after FLUSHALL, %d waiting on %d edges", waiting, followers), "s", settled).AtMost(10).
			And(fmt.Sprintf("%d inversions", broken.inversions), broken.inversions == 0).
			And(fmt.Sprintf("%d twice", broken.twice), broken.twice == 0).
			And(fmt.Sprintf("%d forgotten", broken.forgotten), broken.forgotten == 0).
			And(fmt.Sprintf("%d times over the cap", broken.overCap), broken.overCap == 0),
	}, nil
}

// damage counts broken promises.
type damage struct{ inversions, twice, forgotten, overCap int }

func (d *damage) add(more damage) {
	d.inversions, d.twice = d.inversions+more.inversions, d.twice+more.twice
	d.forgotten, d.overCap = d.forgotten+more.forgotten, d.overCap+more.overCap
}

// audience is everybody who waits: they take their turn and leave at once.
type audience struct {
	store *queue.Store
	lines []*queue.Line
	links []*queue.Link // by place in the line
	turns chan int      // whose place is offered

	mu      sync.Mutex
	numbers map[int][]int64 // the offers that each had
	beside  map[int64]bool  // offers that did not come by the order
	inside  int
	damage
}

func measureRebuild(ctx context.Context, out io.Writer, waiting int) (took float64, d damage, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return 0, d, err
	}
	defer closing(&err, b)
	a := &audience{store: queue.New(b.rdb, keys), links: make([]*queue.Link, waiting), turns: make(chan int, waiting), numbers: map[int][]int64{}, beside: map[int64]bool{}}
	defer a.store.Close()
	if err := fill(ctx, b.rdb, a.store, waiting); err != nil {
		return 0, d, fmt.Errorf("filling the line: %w", err)
	}
	if _, err := a.store.Steer(ctx, sale, queue.Change{Set: queue.Settings{Cap: new(int64(rebuildCap)), Rate: new(int64(6000))}, Reason: "bench"}); err != nil {
		return 0, d, err
	}
	edges, err := b.follow(ctx, followers)
	if err != nil {
		return 0, d, err
	}
	defer closing(&err, edges)
	a.lines = edges.lines
	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer func() { stop(); parts.Wait() }()
	a.arrive()
	// Whoever is not known to be here would be passed over.
	if err := a.await(ctx, "everybody is present", func() bool { return present(ctx, b.rdb) == int64(waiting) }); err != nil {
		return 0, d, err
	}
	parts.Go(func() { a.control(running) })
	for range 16 {
		parts.Go(func() { a.play(running) })
	}
	// By then every edge has read what it would have to write back.
	if err := a.await(ctx, "turns before the loss", func() bool { return a.served() >= rebuildRun }); err != nil {
		return 0, d, err
	}
	epoch, began := a.lines[0].View().Epoch, time.Now()
	if err := b.rdb.FlushAll(ctx).Err(); err != nil {
		return 0, d, err
	}
	if err := a.await(ctx, "the line stands again", func() bool { return a.settledSince(epoch) }); err != nil {
		return 0, d, err
	}
	took = time.Since(began).Seconds()
	before := a.served()
	if err := a.await(ctx, "turns after the loss", func() bool { return a.served() >= before+rebuildRun }); err != nil {
		return 0, d, err
	}
	stop()
	parts.Wait()
	if err := a.count(ctx, b.rdb); err != nil {
		return 0, d, err
	}
	return took, a.damage, nil
}

// arrive opens a socket for everybody in the line.
func (a *audience) arrive() {
	epoch := a.lines[0].View().Epoch
	for i := range a.links {
		id, score := ropeline.PlaceID(member(i)), fmt.Sprint(firstLate+i)
		a.links[i] = a.lines[i%len(a.lines)].Attend(queue.Ticket{Sale: sale, Lane: ropeline.MainLane, Place: id, Score: score, Epoch: epoch},
			queue.Place{ID: id, State: ropeline.PlaceWaiting, Epoch: epoch, Ordinal: int64(i), Score: score}, false,
			func(state ropeline.PlaceState) {
				if state == ropeline.PlaceOffered {
					select {
					case a.turns <- i:
					default: // told so often that it has been told before
					}
				}
			})
	}
}

// present counts whom the edges have told to be here.
func present(ctx context.Context, rdb redis.UniversalClient) (n int64) {
	edges, _ := rdb.ZRange(ctx, lineKey("edges"), 0, -1).Result() // asked again and again
	for _, edge := range edges {
		n += rdb.BitCount(ctx, lineKey("presence:"+edge), nil).Val()
	}
	return n
}

// control ticks as a controller does.
func (a *audience) control(ctx context.Context) {
	every := time.NewTicker(queue.TickInterval)
	defer every.Stop()
	for ctx.Err() == nil {
		_, _ = a.store.Tick(ctx, sale, "bench", time.Minute) // again with the next
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
}

// play takes turns.
func (a *audience) play(ctx context.Context) {
	for {
		select {
		case i := <-a.turns:
			p := a.links[i].Place()
			if p.State != ropeline.PlaceOffered || !a.enter(i, *p.Offer) {
				continue
			}
			a.shop(ctx, p)
			a.leave()
		case <-ctx.Done():
			return
		}
	}
}

// shop claims and ends, however often it must be asked for.
func (a *audience) shop(ctx context.Context, p queue.Place) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil && time.Now().Before(p.Offer.ClaimBy) {
		if _, err := a.store.Claim(ctx, sale, p.ID); err == nil {
			break
		}
		<-again.C
	}
	_, _ = a.store.End(ctx, sale, p.ID) // a server that lost it lets the token run out
}

// enter notes a turn, and says whether it is new.
func (a *audience) enter(i int, o queue.Offer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.numbers[i] {
		if n == o.Number {
			return false
		}
	}
	if a.numbers[i] = append(a.numbers[i], o.Number); len(a.numbers[i]) > 1 {
		a.twice++
	}
	if o.Beside {
		a.beside[o.Number] = true
	}
	if a.inside++; a.inside > rebuildCap {
		a.overCap++
	}
	return true
}

func (a *audience) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inside--
}

func (a *audience) served() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.numbers)
}

// settledSince reports whether every edge sees another epoch.
func (a *audience) settledSince(epoch string) bool {
	for _, l := range a.lines {
		if v := l.View(); v.Settling || v.Away || v.Epoch == epoch {
			return false
		}
	}
	return true
}

func (a *audience) await(ctx context.Context, what string, done func() bool) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for late := time.After(2 * time.Minute); !done(); {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("%s: not within two minutes; the view is %+v", what, a.lines[0].View().State)
		}
	}
	return nil
}

// count compares the line with the one that was lost, and the order of the
// offers with the order of the line.
func (a *audience) count(ctx context.Context, rdb redis.UniversalClient) error {
	order, err := rdb.ZRange(ctx, lineKey("order"), 0, -1).Result()
	if err != nil {
		return err
	}
	there, last := map[string]bool{}, ""
	for _, id := range order {
		there[id] = true
		if id < last {
			a.inversions++
		}
		last = id
	}
	for i := range a.links {
		if !there[member(i)] {
			a.forgotten++
		}
	}
	byNumber := map[int64]int{}
	highest := int64(0)
	for i, numbers := range a.numbers {
		byNumber[numbers[0]] = i
		highest = max(highest, numbers[0])
	}
	furthest := -1
	for n := int64(1); n <= highest; n++ {
		i, ok := byNumber[n]
		if !ok || a.beside[n] { // a number that nobody got is one that the loss left out
			continue
		}
		if i < furthest {
			a.inversions++
		}
		furthest = max(furthest, i)
	}
	if len(a.beside) > len(a.numbers)/10 {
		return fmt.Errorf("%d of %d offers did not come by the order of the line", len(a.beside), len(a.numbers))
	}
	if len(byNumber) != len(a.numbers) {
		return errors.New("two places were offered under one number")
	}
	return nil
}
