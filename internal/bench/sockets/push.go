package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// crowd is fans at several edges.
type crowd struct {
	scene *scene
	pairs []*pair
}

// newCrowd opens sockets at as many edges, and waits until all are open or some
// time has passed. The line stands still meanwhile: a frame to each who is in
// would take the processors from those who come.
func newCrowd(ctx context.Context, sockets, edges, places int, rate int64) (c *crowd, err error) {
	c = &crowd{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.scene, err = newScene(ctx, places, rate); err != nil {
		return c, err
	}
	if err := steer(ctx, c.scene.store, ropeline.ModePause, "everybody comes"); err != nil {
		return c, err
	}
	for i := range edges {
		from, to := i*sockets/edges, (i+1)*sockets/edges
		p, err := newPair(ctx, c.scene, "edge", to-from, from)
		if err != nil {
			return c, err
		}
		c.pairs = append(c.pairs, p)
	}
	opening, cancel := context.WithTimeout(ctx, openingMost)
	defer cancel()
	for _, p := range c.pairs {
		if err := p.opened(opening); err != nil && opening.Err() == nil {
			return c, err
		}
	}
	return c, steer(ctx, c.scene.store, ropeline.ModeRun, "-")
}

// openingMost is how long 500,000 may take; whoever is not in by then is missing
// in what is measured.
const openingMost = 8 * time.Minute

// count sums what all fans have received; lines that they say beside go to
// others.
func (c *crowd) count(ctx context.Context, others func(string)) (sum count, err error) {
	for _, p := range c.pairs {
		n, err := p.count(ctx, others)
		if err != nil {
			return sum, err
		}
		sum.frames, sum.bytes, sum.open = sum.frames+n.frames, sum.bytes+n.bytes, sum.open+n.open
	}
	return sum, nil
}

func (c *crowd) Close() error {
	var errs []error
	for _, p := range c.pairs {
		errs = append(errs, p.Close())
	}
	if c.scene != nil {
		errs = append(errs, c.scene.Close())
	}
	return errors.Join(errs...)
}

func pushRows(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	sockets, edges := p.Of(50_000), 3
	if err := checkRoom(sockets / edges); err != nil {
		return nil, err
	}
	const rate = 6000 // offers a minute
	c, err := newCrowd(ctx, sockets, edges, sockets, rate)
	if err != nil {
		return nil, err
	}
	defer closing(&err, c)
	for _, p := range c.pairs {
		if _, err := p.whole(ctx); err != nil {
			return nil, err
		}
	}
	var written, read, toOne []float64
	missing := 0
	for n := range p.Runs {
		waits, lost, err := c.offers(ctx, spansOf(p).watch)
		if err != nil {
			return nil, fmt.Errorf("offers: %w", err)
		}
		w, r, err := c.everybody(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("one frame to each: %w", err)
		}
		sort.Float64s(waits)
		p99 := waits[len(waits)*99/100]
		fmt.Fprintf(out, "run %d: one frame to each written in %.3f s, read in %.3f s; %d offers, p50 %.1f ms, p99 %.1f ms, most %.1f ms, %d did not arrive\n",
			n+1, w, r, len(waits), waits[len(waits)/2], p99, waits[len(waits)-1], lost)
		written, read, toOne, missing = append(written, w), append(read, r), append(toOne, p99), missing+lost
	}
	return []bench.Row{
		bench.Alone(fmt.Sprintf("one frame to each of %d sockets at %d edges, from the tick until the last is written", sockets, edges), "s", written).AtMost(0.6),
		bench.Alone("the same, until the last fan has read it", "s", read).Untargeted(),
		bench.Alone(fmt.Sprintf("from the tick that offers to the fan, p99, %d sockets open and ticking", sockets), "ms", toOne).AtMost(250).
			And("no fan left out", missing == 0),
	}, nil
}

// everybody pauses the sale, which is told at once, and returns the seconds
// from the tick until the last frame was written, and until it was read.
func (c *crowd) everybody(ctx context.Context, run int) (written, read float64, err error) {
	reason := fmt.Sprintf("run %d", run)
	for _, p := range c.pairs {
		if err := p.fans.say("mark " + reason); err != nil {
			return 0, 0, err
		}
	}
	if _, err := c.count(ctx, nil); err != nil { // they have all heard of the mark
		return 0, 0, err
	}
	if err := steer(ctx, c.scene.store, ropeline.ModePause, reason); err != nil {
		return 0, 0, err
	}
	var lastWritten, lastRead int64
	for _, p := range c.pairs {
		at, err := p.fans.numbers(ctx, "marked", nil)
		if err != nil {
			return 0, 0, err
		}
		lastWritten, lastRead = max(lastWritten, at[0]), max(lastRead, at[1])
	}
	ticks, err := c.scene.past()
	if err != nil {
		return 0, 0, err
	}
	told := slices.IndexFunc(ticks, func(t tick) bool { return t.reason == reason })
	if told < 0 {
		return 0, 0, errors.New("no tick told of the pause")
	}
	since := func(at int64) float64 { return float64(at-ticks[told].began.UnixNano()) / 1e9 }
	return since(lastWritten), since(lastRead), steer(ctx, c.scene.store, ropeline.ModeRun, "-")
}

// offers watches the offers of some time and returns how many ms each took to
// arrive, and how many did not.
func (c *crowd) offers(ctx context.Context, d time.Duration) (waits []float64, lost int, err error) {
	arrived := map[int64]int64{}
	note := func(line string) {
		var number, at int64
		if n, _ := fmt.Sscanf(line, "offer %d %d", &number, &at); n == 2 && arrived[number] == 0 { // later frames tell it again
			arrived[number] = at
		}
	}
	before, err := c.scene.past()
	if err != nil {
		return nil, 0, err
	}
	if err := pass(ctx, d); err != nil {
		return nil, 0, err
	}
	after, err := c.scene.past()
	if err != nil {
		return nil, 0, err
	}
	if err := pass(ctx, 2*time.Second); err != nil { // whatever is later than that is lost
		return nil, 0, err
	}
	if _, err := c.count(ctx, note); err != nil {
		return nil, 0, err
	}
	from := before[len(before)-1].last
	for _, t := range after[len(before):] {
		for number := from + 1; number <= t.last; number++ {
			if at, ok := arrived[number]; ok {
				waits = append(waits, float64(at-t.began.UnixNano())/1e6)
			} else {
				lost++
			}
		}
		from = max(from, t.last)
	}
	if len(waits) == 0 {
		return nil, 0, errors.New("nobody was offered anything")
	}
	return waits, lost, nil
}

// perEdge is how many sockets an edge has where there are as many as possible:
// a little below what a descriptor limit of 20,000 allows.
const perEdge = 18_500

// fanRows opens as many sockets as the scale says and checks that all are told
// of every step of the line.
func fanRows(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	sockets := p.Of(200_000)
	edges := (sockets + perEdge - 1) / perEdge
	if err := checkRoom(sockets / edges); err != nil {
		return nil, err
	}
	began := time.Now()
	c, err := newCrowd(ctx, sockets, edges, sockets+moving, moving)
	if err != nil {
		return nil, err
	}
	defer closing(&err, c)
	fmt.Fprintf(out, "sockets at %d edges, opened in %s\n", edges, time.Since(began).Round(time.Second))
	if err := pass(ctx, 10*time.Second); err != nil {
		return nil, err
	}
	const span = 20 * time.Second
	before, err := c.count(ctx, nil)
	if err != nil {
		return nil, err
	}
	from := time.Now()
	if err := pass(ctx, span); err != nil {
		return nil, err
	}
	after, err := c.count(ctx, nil)
	if err != nil {
		return nil, err
	}
	ticks, err := c.scene.past()
	if err != nil {
		return nil, err
	}
	waiting := max(1, after.open-ticks[len(ticks)-1].last) // who was offered is told nothing more
	apart := time.Since(from).Seconds() * float64(waiting) / float64(after.frames-before.frames)
	fmt.Fprintf(out, "%d open, %d of them waiting, a frame every %.2f s each\n", after.open, waiting, apart)
	return []bench.Row{
		bench.Alone(fmt.Sprintf("fans live on one machine, at %d edges", edges), "fans", []float64{float64(after.open)}).AtLeast(200_000).
			And("a push every 5 s", apart <= 5.25),
	}, nil
}

// steer changes how the sale admits.
func steer(ctx context.Context, store *queue.Store, mode ropeline.Mode, reason string) error {
	_, err := store.Steer(ctx, sale, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: reason})
	return err
}
