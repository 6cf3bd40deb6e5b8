package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

// drawRows measures a draw, from the close until an edge sees the line that it
// made, beside writing as many random scores.
func drawRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	n := p.Of(1_000_000)
	var draws, writes []float64
	for run := range p.Runs {
		drew, err := measureDraw(ctx, b.rdb, n)
		if err != nil {
			return nil, fmt.Errorf("drawing: %w", err)
		}
		wrote, err := writeScores(ctx, b.rdb, n)
		if err != nil {
			return nil, fmt.Errorf("writing scores: %w", err)
		}
		fmt.Fprintf(out, "run %d: %6.2f s the draw, %6.2f s as many random scores\n", run+1, drew, wrote)
		draws, writes = append(draws, drew), append(writes, wrote)
	}
	return []bench.Row{
		bench.Compare(fmt.Sprintf("draw of %d entrants, from the close until an edge sees the line", n), "s", draws,
			"ZADD of as many random scores, 1,000 a command", writes).RatioAtMost(2),
	}, nil
}

// measureDraw fills a lobby and draws it under the eyes of an edge; it returns
// the seconds.
func measureDraw(ctx context.Context, rdb redis.UniversalClient, entrants int) (float64, error) {
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		return 0, fmt.Errorf("emptying Redis: %w", err)
	}
	store := queue.New(rdb, keys)
	defer store.Close()
	if err := publish(ctx, store, time.Now()); err != nil {
		return 0, err
	}
	probe, err := fillLobby(ctx, rdb, entrants)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	line, followed := queue.NewLine(store, sale, slog.New(slog.DiscardHandler)), make(chan error, 1)
	go func() { followed <- line.Run(ctx) }()
	defer func() { stop(); <-followed }()
	<-line.Ready()

	began := time.Now()
	if err := store.Draw(ctx, sale); err != nil {
		return 0, err
	}
	if _, err := store.Tick(ctx, sale, "bench", time.Hour); err != nil {
		return 0, err
	}
	for line.View().Epoch == "" {
		select {
		case <-line.View().Superseded():
		case err := <-followed:
			followed <- err
			return 0, errors.Join(err, errors.New("the edge does not follow the line any more"))
		}
	}
	took := time.Since(began).Seconds()
	place, err := store.Find(ctx, sale, probe)
	if err != nil {
		return 0, err
	}
	if v := line.View(); v.Size != int64(entrants) || place.Epoch != v.Epoch || v.Position(place) != place.Ordinal {
		return 0, fmt.Errorf("%d of %d are in the line, and %+v is at %d", v.Size, entrants, place, v.Position(place))
	}
	return took, nil
}

// fillLobby collects entrants and returns one of them.
func fillLobby(ctx context.Context, rdb redis.UniversalClient, entrants int) (one ropeline.PlaceID, err error) {
	const batch = 1000
	for from := 0; from < entrants; from += batch {
		ids := make([]any, min(batch, entrants-from))
		for i := range ids {
			if one, err = queue.NewPlaceID(rand.Reader); err != nil {
				return "", err
			}
			ids[i] = string(one)
		}
		if err := rdb.SAdd(ctx, lineKey("collected"), ids...).Err(); err != nil {
			return "", fmt.Errorf("filling the lobby: %w", err)
		}
	}
	return one, nil
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
