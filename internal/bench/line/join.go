package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

const (
	callers     = 256 // at once, through one store
	connections = 50  // of those who join one by one
	pipeline    = 64  // commands before answers are read
)

// cost is what one way of joining took.
type cost struct {
	cpu  float64 // µs of Redis's main thread a place
	rate float64 // places a second
}

// joinRows measures three ways of putting the same number of places into an
// empty line.
func joinRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	rdb, n := b.rdb, p.Of(100_000)
	ways := []struct {
		name string
		join func(context.Context, []ropeline.PlaceID) error
	}{
		{"through the store", func(ctx context.Context, ids []ropeline.PlaceID) error { return joinGathered(ctx, rdb, ids) }},
		{"one by one", func(ctx context.Context, ids []ropeline.PlaceID) error { return joinSingly(ctx, b.url, ids) }},
		{"pipelined ZADD", func(ctx context.Context, ids []ropeline.PlaceID) error { return zaddPipelined(ctx, rdb, ids) }},
	}
	cpu, rate := make([][]float64, len(ways)), make([][]float64, len(ways))
	for run := range p.Runs {
		for i, way := range ways {
			c, err := measureJoins(ctx, rdb, n, way.join)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", way.name, err)
			}
			fmt.Fprintf(out, "run %d: %-18s %6.2f µs of Redis a join, %7.0f joins/s\n", run+1, way.name, c.cpu, c.rate)
			cpu[i], rate[i] = append(cpu[i], c.cpu), append(rate[i], c.rate)
		}
	}
	return []bench.Row{
		bench.Compare(fmt.Sprintf("Redis CPU of a join, %d callers", callers), "µs", cpu[0],
			fmt.Sprintf("one script call a join, %d connections", connections), cpu[1]).RatioAtMost(0.25),
		bench.Compare(fmt.Sprintf("joins through the queue package, %d callers", callers), "/s", rate[0],
			fmt.Sprintf("ZADD NX, one connection, pipeline of %d", pipeline), rate[2]).RatioAtLeast(0.9),
	}, nil
}

// measureJoins lets new places join an empty line and checks that they are in
// it.
func measureJoins(ctx context.Context, rdb redis.UniversalClient, n int, join func(context.Context, []ropeline.PlaceID) error) (cost, error) {
	ids := make([]ropeline.PlaceID, n)
	for i := range ids {
		id, err := queue.NewPlaceID(rand.Reader)
		if err != nil {
			return cost{}, err
		}
		ids[i] = id
	}
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		return cost{}, fmt.Errorf("emptying Redis: %w", err)
	}
	if err := open(ctx, queue.New(rdb, keys)); err != nil {
		return cost{}, err
	}
	before, err := mainThread(ctx, rdb)
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := join(ctx, ids); err != nil {
		return cost{}, err
	}
	took := time.Since(began)
	after, err := mainThread(ctx, rdb)
	if err != nil {
		return cost{}, err
	}
	if got, err := rdb.ZCard(ctx, lineKey("order")).Result(); err != nil || got != int64(n) {
		return cost{}, errors.Join(err, fmt.Errorf("%d of %d places are in the line", got, n))
	}
	return cost{cpu: (after - before).Seconds() * 1e6 / float64(n), rate: float64(n) / took.Seconds()}, nil
}

// joinGathered is what an edge does under load.
func joinGathered(ctx context.Context, rdb redis.UniversalClient, ids []ropeline.PlaceID) error {
	store := queue.New(rdb, keys)
	defer store.Close()
	g, ctx := errgroup.WithContext(ctx)
	for c := range callers {
		g.Go(func() error { return joinEvery(ctx, store, ids, c, callers) })
	}
	return g.Wait()
}

// joinSingly joins with the same script through the same code, but for the
// company: a store with one caller gathers batches of one.
func joinSingly(ctx context.Context, url string, ids []ropeline.PlaceID) error {
	g, ctx := errgroup.WithContext(ctx)
	for c := range connections {
		g.Go(func() (err error) {
			rdb, err := dial.Redis(url)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, rdb.Close()) }()
			store := queue.New(rdb, keys)
			defer store.Close()
			return joinEvery(ctx, store, ids, c, connections)
		})
	}
	return g.Wait()
}

// joinEvery joins the places from, from+step, from+2·step ….
func joinEvery(ctx context.Context, store *queue.Store, ids []ropeline.PlaceID, from, step int) error {
	for i := from; i < len(ids); i += step {
		if _, err := store.Join(ctx, sale, ids[i], ""); err != nil {
			return err
		}
	}
	return nil
}

// zaddPipelined is the least that Redis can be asked to do for a place.
func zaddPipelined(ctx context.Context, rdb redis.UniversalClient, ids []ropeline.PlaceID) error {
	for from := 0; from < len(ids); from += pipeline {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := from; i < min(from+pipeline, len(ids)); i++ {
				p.ZAddNX(ctx, lineKey("order"), redis.Z{Score: float64(firstLate + i), Member: string(ids[i])})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
	}
	return nil
}

// mainThread is the processor time that the thread which runs all commands has
// used: threads that write the append-only file are not in it.
func mainThread(ctx context.Context, rdb redis.UniversalClient) (time.Duration, error) {
	info, err := rdb.InfoMap(ctx, "cpu").Result()
	if err != nil {
		return 0, fmt.Errorf("asking for processor time: %w", err)
	}
	var sum float64
	for _, field := range []string{"used_cpu_user_main_thread", "used_cpu_sys_main_thread"} {
		seconds, err := strconv.ParseFloat(info["CPU"][field], 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", field, err)
		}
		sum += seconds
	}
	return time.Duration(sum * float64(time.Second)), nil
}
