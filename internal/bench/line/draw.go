package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// served is the share of the entrants that each of the edges serves: 20,000 of a
// million, as many as one process has descriptors for.
const served = 50

// drawRows measures a draw, from the close until edges have seen the line that it
// made and looked up the place of everybody they serve, beside writing as many
// random scores.
func drawRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	n := p.Of(1_000_000)
	var draws, writes []float64
	for run := range p.Runs {
		drew, seen, err := measureDraw(ctx, b, n)
		if err != nil {
			return nil, fmt.Errorf("drawing: %w", err)
		}
		wrote, err := writeScores(ctx, b.rdb, n)
		if err != nil {
			return nil, fmt.Errorf("writing scores: %w", err)
		}
		fmt.Fprintf(out, "run %d: %6.2f s the draw, %6.2f s until all know their places, %6.2f s as many random scores\n", run+1, drew, seen, wrote)
		draws, writes = append(draws, seen), append(writes, wrote)
	}
	return []bench.Row{
		bench.Compare(fmt.Sprintf("draw of %d entrants, from the close until %d edges know the places of %d each", n, followers, max(1, n/served)), "s", draws,
			"ZADD of as many random scores, 1,000 a command", writes).RatioAtMost(2),
	}, nil
}

// measureDraw fills a lobby and draws it under the eyes of edges; it returns the
// seconds until the draw was over, and until they knew every place they serve.
func measureDraw(ctx context.Context, b *bed, entrants int) (drew, seen float64, err error) {
	if err := b.rdb.FlushAll(ctx).Err(); err != nil {
		return 0, 0, fmt.Errorf("emptying Redis: %w", err)
	}
	store := queue.New(b.rdb, keys)
	defer store.Close()
	if err := publish(ctx, store, time.Now()); err != nil {
		return 0, 0, err
	}
	ids, err := fillLobby(ctx, b.rdb, entrants)
	if err != nil {
		return 0, 0, err
	}
	edges, err := b.follow(ctx, followers)
	if err != nil {
		return 0, 0, err
	}
	defer closing(&err, edges)
	links := []*queue.Link{}
	var unknown sync.WaitGroup // places
	for i, line := range edges.lines {
		for n := range max(1, entrants/served) {
			unknown.Add(1)
			links = append(links, attend(line, ids[(i*entrants/followers+n)%entrants], unknown.Done))
		}
	}

	began := time.Now()
	if err := store.Draw(ctx, sale); err != nil {
		return 0, 0, err
	}
	if _, err := store.Tick(ctx, sale, "bench", time.Hour); err != nil {
		return 0, 0, err
	}
	drew = time.Since(began).Seconds()
	known := make(chan struct{})
	go func() { unknown.Wait(); close(known) }()
	select {
	case <-known:
	case <-edges.ctx.Done():
		return 0, 0, context.Cause(edges.ctx)
	case <-time.After(time.Minute):
		return 0, 0, errors.New("the edges do not learn the places of all")
	}
	seen = time.Since(began).Seconds()
	v := edges.lines[0].View()
	for _, k := range links {
		if p := k.Place(); v.Size != int64(entrants) || p.Epoch != v.Epoch || v.Position(p) != p.Ordinal {
			return 0, 0, fmt.Errorf("%d of %d are in the line, and %+v is at %d", v.Size, entrants, p, v.Position(p))
		}
	}
	return drew, seen, nil
}

// attend lets an edge serve a fan of the lobby; known is called once, when it has
// looked up where in the line the place stands.
func attend(line *queue.Line, id ropeline.PlaceID, known func()) *queue.Link {
	once := sync.OnceFunc(known)
	place := queue.Place{ID: id, State: ropeline.PlaceCollected, Ordinal: -1}
	return line.Attend(queue.Ticket{Place: id}, place, false, func(state ropeline.PlaceState) {
		if state == ropeline.PlaceWaiting {
			once()
		}
	})
}

// fillLobby collects entrants and returns them.
func fillLobby(ctx context.Context, rdb redis.UniversalClient, entrants int) ([]ropeline.PlaceID, error) {
	const batch = 1000
	all := make([]ropeline.PlaceID, entrants)
	for from := 0; from < entrants; from += batch {
		ids := make([]any, min(batch, entrants-from))
		for i := range ids {
			one, err := queue.NewPlaceID(rand.Reader)
			if err != nil {
				return nil, err
			}
			ids[i], all[from+i] = string(one), one
		}
		if err := rdb.SAdd(ctx, lineKey("collected"), ids...).Err(); err != nil {
			return nil, fmt.Errorf("filling the lobby: %w", err)
		}
	}
	return all, nil
}

// writeScores is the least that a draw asks of Redis; it returns the seconds.
func writeScores(ctx context.Context, rdb redis.UniversalClient, n int) (float64, error) {
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		return 0, fmt.Errorf("emptying Redis: %w", err)
	}
	ids := make([]string, n)
	for i := range ids {
		id, err := queue.NewPlaceID(rand.Reader)
		if err != nil {
			return 0, err
		}
		ids[i] = string(id)
	}
	const batch = 1000
	began := time.Now()
	for from := 0; from < n; from += batch {
		scored := make([]redis.Z, min(batch, n-from))
		for i := range scored {
			scored[i] = redis.Z{Score: float64(mathrand.Int64N(firstLate)), Member: ids[from+i]}
		}
		if err := rdb.ZAdd(ctx, lineKey("order"), scored...).Err(); err != nil {
			return 0, err
		}
	}
	return time.Since(began).Seconds(), nil
}
