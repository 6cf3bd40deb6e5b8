package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/queue"
)

const (
	firstLate = 1 << 52 // the first score behind the lobby's
	most      = 500     // offers in one tick: the store's own bound
	told      = 500     // departures that one tick tells the edges: the script's own bound
)

// size is how much a run measures.
type size struct {
	departed int // at the cursor; a multiple of 8
	ticks    int // of which the median counts
}

// A scene is a line before a tick.
type scene struct {
	offers   int  // that the tick makes, at most `most`
	departed bool // everybody at the cursor has left
	untold   bool // and the edges have not heard of the newest of them
	absent   bool // everybody at the cursor is away
}

func (sc scene) String() string {
	text := fmt.Sprintf("%d offers", sc.offers)
	if sc.departed {
		text += ", departed"
	}
	if sc.untold {
		text += " just now"
	}
	if sc.absent {
		text += ", absent"
	}
	return text
}

// tickRows measures ticks over many who have left beside the same over nobody
// who has.
func tickRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	b, err := makeBed(ctx, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, b)
	rdb, s := b.rdb, size{departed: max(told, p.Of(1_000_000)/8) * 8, ticks: 20}
	store := queue.New(rdb, keys)
	defer store.Close()
	if err := fill(ctx, rdb, store, s.departed+most); err != nil {
		return nil, fmt.Errorf("filling the line: %w", err)
	}
	few, many := scene{offers: 100}, scene{offers: most}
	fewPast, manyPast := scene{offers: 100, departed: true}, scene{offers: most, departed: true}
	manyTold, manyAbsent := scene{offers: most, departed: true, untold: true}, scene{offers: most, absent: true}
	ms := map[scene][]float64{}
	for n := range p.Runs {
		for _, sc := range []scene{few, fewPast, many, manyPast, manyTold, manyAbsent} {
			took, err := measureTicks(ctx, rdb, store, sc, s)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", sc, err)
			}
			ms[sc] = append(ms[sc], took)
			fmt.Fprintf(out, "run %d: %-30v %6.2f ms of Redis a tick\n", n+1, sc, took)
		}
	}
	row := func(sc scene, more string, beside scene) bench.Row {
		what := fmt.Sprintf("tick of %d offers, %d departed at the cursor%s", sc.offers, s.departed, more)
		return bench.Compare(what, "ms", ms[sc], "none departed", ms[beside]).AtMost(5)
	}
	return []bench.Row{
		row(fewPast, "", few),
		row(manyPast, "", many),
		row(manyTold, fmt.Sprintf(", %d of them since the last tick", min(told, s.departed)), many),
		bench.Compare(fmt.Sprintf("tick of %d offers, %d absent at the cursor", most, s.departed), "ms", ms[manyAbsent], "none absent", ms[many]).AtMost(5),
	}, nil
}

// fill puts places into the line without joining, which would take minutes.
func fill(ctx context.Context, rdb redis.UniversalClient, store *queue.Store, places int) error {
	if err := rdb.FlushAll(ctx).Err(); err != nil {
		return err
	}
	if err := open(ctx, store); err != nil {
		return err
	}
	const batch = 1000
	for from := 0; from < places; from += batch {
		scored := make([]redis.Z, 0, batch)
		for i := from; i < min(from+batch, places); i++ {
			scored = append(scored, redis.Z{Score: float64(firstLate + i), Member: fmt.Sprintf("%022d", i)})
		}
		if err := rdb.ZAdd(ctx, lineKey("order"), scored...).Err(); err != nil {
			return err
		}
	}
	return nil
}

// measureTicks is the median of one run's ticks: a mean would also measure how
// often the machine took the processor away from Redis.
func measureTicks(ctx context.Context, rdb redis.UniversalClient, store *queue.Store, sc scene, s size) (float64, error) {
	ms := make([]float64, s.ticks)
	for i := range ms {
		took, err := measureTick(ctx, rdb, store, sc, s.departed)
		if err != nil {
			return 0, err
		}
		ms[i] = took
	}
	return bench.Median(ms), nil
}

// measureTick sets the scene, ticks once and returns the ms that Redis spent on
// all commands of that tick.
func measureTick(ctx context.Context, rdb redis.UniversalClient, store *queue.Store, sc scene, departed int) (float64, error) {
	if err := set(ctx, rdb, sc, departed); err != nil {
		return 0, fmt.Errorf("setting the scene: %w", err)
	}
	state, err := store.Tick(ctx, sale, "bench", time.Hour)
	if err != nil {
		return 0, err
	}
	reached := int64(sc.offers)
	if sc.departed || sc.absent {
		reached += int64(departed)
	}
	if state.Cursor != reached || state.LastOffer != int64(sc.offers) {
		return 0, fmt.Errorf("the tick made %d offers and came to %d, want %d and %d", state.LastOffer, state.Cursor, sc.offers, reached)
	}
	return commandTime(ctx, rdb, "evalsha", "eval", "publish")
}

// set takes the line back to where it was before the last tick and clears the
// statistics. bucket_at 0 lets the rate bucket be full.
func set(ctx context.Context, rdb redis.UniversalClient, sc scene, departed int) error {
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, key("leader"), key("offered"), key("numbers"), key("offers"), key("pace"), lineKey("departed"), lineKey("left"))
		p.HSet(ctx, key("state"), "last_offer", 0, "bucket_at", 0)
		p.HSet(ctx, lineKey("line"), "cursor", 0, "cursor_score", 0, "gone", 0, "epoch_at", 0)
		p.ZAdd(ctx, lineKey("edges"), redis.Z{Score: float64(time.Now().UnixMilli()), Member: "bench"})
		p.HSet(ctx, key("limits"), "cap", sc.offers)
		present := strings.Repeat("\xff", (departed+most)/8)
		if sc.departed {
			p.HSet(ctx, lineKey("line"), "gone", departed)
			p.Set(ctx, lineKey("departed"), strings.Repeat("\xff", departed/8), 0)
		}
		if sc.departed || sc.absent { // who leaves is not present any more, either
			present = strings.Repeat("\x00", departed/8) + strings.Repeat("\xff", most/8+1)
		}
		p.Set(ctx, lineKey("presence:bench"), present, 0)
		if sc.untold {
			ordinals := make([]any, min(told, departed))
			for i := range ordinals {
				ordinals[i] = i
			}
			p.RPush(ctx, lineKey("left"), ordinals...)
		}
		p.ConfigResetStat(ctx)
		return nil
	})
	return err
}

// commandTime sums what Redis spent on commands since the statistics were
// cleared, in ms. A script's time has that of its own commands in it.
func commandTime(ctx context.Context, rdb redis.UniversalClient, commands ...string) (float64, error) {
	info, err := rdb.InfoMap(ctx, "commandstats").Result()
	if err != nil {
		return 0, fmt.Errorf("asking for the time of commands: %w", err)
	}
	var sum int
	for _, name := range commands {
		stats, ok := info["Commandstats"]["cmdstat_"+name]
		if !ok {
			continue
		}
		var calls, us int
		if _, err := fmt.Sscanf(stats, "calls=%d,usec=%d", &calls, &us); err != nil {
			return 0, fmt.Errorf("reading the time of %s: %w", name, err)
		}
		sum += us
	}
	return float64(sum) / 1000, nil
}
