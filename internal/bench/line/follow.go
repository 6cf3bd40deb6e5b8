package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

const (
	followers = 6  // edges
	leaving   = 20 // places that depart in each tick

	oneEdgeMore = "of it what one edge more adds" // a difference: one small run may find it below 0
)

// followRows measures what Redis does each tick so that edges know the position
// of everybody, for short lines and long ones, beside asking it for each.
func followRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	clients, sizes := p.Of(100_000), []int{p.Of(1000), p.Of(100_000), p.Of(1_000_000), p.Of(3_000_000)}
	ticks, ranks, one := make([][]float64, len(sizes)), make([][]float64, len(sizes)), []float64{}
	last := len(sizes) - 1
	for i, size := range sizes {
		store := queue.New(b.rdb, keys)
		if err := fill(ctx, b.rdb, store, size); err != nil {
			return nil, fmt.Errorf("filling the line: %w", err)
		}
		for run := range p.Runs {
			took, err := measureFollowing(ctx, b, store, size, followers)
			if err != nil {
				return nil, err
			}
			ticks[i] = append(ticks[i], took/followers)
			fmt.Fprintf(out, "run %d: %6.1f µs of Redis a tick and edge, %d in line\n", run+1, took/followers, size)
			if i == last {
				single, err := measureFollowing(ctx, b, store, size, 1)
				if err != nil {
					return nil, err
				}
				one = append(one, (took-single)/(followers-1))
				fmt.Fprintf(out, "run %d: %6.1f µs of it one edge more\n", run+1, one[run])
			}
			if size < clients {
				continue
			}
			asked, err := askForRanks(ctx, b.rdb, clients, size)
			if err != nil {
				return nil, err
			}
			ranks[i] = append(ranks[i], asked)
			fmt.Fprintf(out, "run %d: %6.0f µs of Redis for %d ZRANKs\n", run+1, asked, clients)
		}
		store.Close()
	}
	var rows []bench.Row
	for i, size := range sizes {
		beside := i // a line too short for so many clients stands beside the shortest that is not
		for ranks[beside] == nil {
			beside++
		}
		rows = append(rows, bench.Compare(fmt.Sprintf("Redis time a tick and edge, %d edges, %d in line", followers, size), "µs", ticks[i],
			fmt.Sprintf("ZRANK for each of %d clients, %d in line", clients, sizes[beside]), ranks[beside]).RatioAtMost(1.0/5000))
	}
	return append(rows,
		bench.Compare(fmt.Sprintf("the same, %d in line", sizes[last]), "µs", ticks[last],
			fmt.Sprintf("%d in line", sizes[0]), ticks[0]).RatioAtMost(2),
		bench.Alone(fmt.Sprintf("%s, %d in line", oneEdgeMore, sizes[last]), "µs", one).Untargeted()), nil
}

// measureFollowing lets edges follow a line that ticks and from which people
// leave, and returns the µs that Redis spent on all of their commands and the
// controller's, a tick.
func measureFollowing(ctx context.Context, b *bed, store *queue.Store, size, edgesThere int) (us float64, err error) {
	edges, err := b.follow(ctx, edgesThere)
	if err != nil {
		return 0, err
	}
	defer closing(&err, edges)
	if err := steer(ctx, store, ropeline.ModePause, "bench"); err != nil { // offers are measured by themselves
		return 0, err
	}
	const ticks = 25
	every := time.NewTicker(queue.TickInterval)
	defer every.Stop()
	asked := []string{"fcall", "publish", "xrange", "mget", "hgetall"} // of the controller and the edges
	before, err := commandTime(ctx, b.rdb, asked...)
	if err != nil {
		return 0, err
	}
	for n := range ticks {
		if err := depart(ctx, b.rdb, n*leaving%max(1, size-leaving), min(leaving, size)); err != nil {
			return 0, err
		}
		if _, err := store.Tick(ctx, sale, "bench", time.Hour); err != nil {
			return 0, err
		}
		<-every.C
	}
	after, err := commandTime(ctx, b.rdb, asked...)
	if err != nil {
		return 0, err
	}
	state, err := store.State(ctx, sale)
	if err != nil {
		return 0, err
	}
	for _, l := range edges.lines {
		if v := l.View(); v.Seq != state.Seq || v.Size != int64(size) {
			return 0, fmt.Errorf("an edge knows tick %d with %d places, want %d with %d", v.Seq, v.Size, state.Seq, size)
		}
	}
	return (after - before) * 1000 / ticks, nil
}

// depart marks ordinals as left, as leave.lua does.
func depart(ctx context.Context, rdb redis.UniversalClient, from, n int) error {
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := from; i < from+n; i++ {
			p.SetBit(ctx, lineKey("departed"), int64(i), 1)
			p.RPush(ctx, lineKey("left"), i)
		}
		p.HIncrBy(ctx, lineKey("line"), "gone", int64(n))
		return nil
	})
	return err
}

// askForRanks is what an edge would do that knew no better; it returns the µs
// that Redis spent.
func askForRanks(ctx context.Context, rdb redis.UniversalClient, clients, size int) (float64, error) {
	before, err := commandTime(ctx, rdb, "zrank")
	if err != nil {
		return 0, err
	}
	const batch = 1000
	step := max(1, size/clients) // spread over the line, as clients are
	for from := 0; from < clients; from += batch {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < min(from+batch, clients); i++ {
				p.ZRank(ctx, lineKey("order"), member((i*step)%size))
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("asking for ranks: %w", err)
		}
	}
	after, err := commandTime(ctx, rdb, "zrank")
	return (after - before) * 1000, err
}
