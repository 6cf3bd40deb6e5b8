package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/dial"
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
	metered, err := dial.Redis(b.url)
	if err != nil {
		return nil, err
	}
	defer closing(&err, metered)
	m := &meter{rdb: rdb}
	metered.AddHook(m)
	store := queue.New(metered, keys)
	defer store.Close()
	if err := fill(ctx, rdb, store, s.departed+most); err != nil {
		return nil, fmt.Errorf("filling the line: %w", err)
	}
	few, many := scene{offers: 100}, scene{offers: most}
	fewPast, manyPast := scene{offers: 100, departed: true}, scene{offers: most, departed: true}
	manyTold, manyAbsent := scene{offers: most, departed: true, untold: true}, scene{offers: most, absent: true}
	calls := map[scene][]float64{}
	for n := range p.Runs {
		for _, sc := range []scene{few, fewPast, many, manyPast, manyTold, manyAbsent} {
			call, tick, err := measureTicks(ctx, m, store, sc, s)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", sc, err)
			}
			calls[sc] = append(calls[sc], call)
			fmt.Fprintf(out, "run %d: %-30v %6.2f ms of Redis the longest call, %6.2f ms the tick\n", n+1, sc, call, tick)
		}
	}
	row := func(sc scene, what string, beside scene, none string) bench.Row {
		what = fmt.Sprintf("longest call of a tick, %d offers, %d %s", sc.offers, s.departed, what)
		return bench.Compare(what, "ms", calls[sc], none, calls[beside]).AtMost(5)
	}
	return []bench.Row{
		row(fewPast, "departed at the cursor", few, "none departed"),
		row(manyPast, "departed at the cursor", many, "none departed"),
		row(manyTold, fmt.Sprintf("departed at the cursor, %d of them just now", min(told, s.departed)), many, "none departed"),
		row(manyAbsent, "absent at the cursor", many, "none absent"),
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
			scored = append(scored, redis.Z{Score: float64(firstLate + i), Member: member(i)})
		}
		if err := rdb.ZAdd(ctx, lineKey("order"), scored...).Err(); err != nil {
			return err
		}
	}
	return nil
}

// member is the place that was put into the line as the i-th.
func member(i int) string { return fmt.Sprintf("%022d", i) }

// measureTicks is the medians of one run's ticks: a mean would also measure how
// often the machine took the processor away from Redis.
func measureTicks(ctx context.Context, m *meter, store *queue.Store, sc scene, s size) (call, tick float64, err error) {
	calls, ticks := make([]float64, s.ticks), make([]float64, s.ticks)
	for i := range ticks {
		if calls[i], ticks[i], err = measureTick(ctx, m, store, sc, s.departed); err != nil {
			return 0, 0, err
		}
	}
	return bench.Median(calls), bench.Median(ticks), nil
}

// measureTick sets the scene, ticks once and returns the ms that Redis was
// blocked for by the longest of its calls, and by all of them.
func measureTick(ctx context.Context, m *meter, store *queue.Store, sc scene, departed int) (call, tick float64, err error) {
	if err := set(ctx, m.rdb, sc, departed); err != nil {
		return 0, 0, fmt.Errorf("setting the scene: %w", err)
	}
	m.longest, m.sum = 0, 0
	state, err := store.Tick(ctx, sale, "bench", time.Hour)
	if err != nil {
		return 0, 0, err
	}
	reached := int64(sc.offers)
	if sc.departed || sc.absent {
		reached += int64(departed)
	}
	if state.Cursor != reached || state.LastOffer != int64(sc.offers) {
		return 0, 0, fmt.Errorf("the tick made %d offers and came to %d, want %d and %d", state.LastOffer, state.Cursor, sc.offers, reached)
	}
	return m.longest, m.sum, m.err
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
		return nil
	})
	return err
}

// meter is a hook of a client that asks, after each of its calls, how long Redis
// took for it. (The slow log would tell, too, but also logs what a script calls,
// at the cost of the script.)
type meter struct {
	rdb          redis.UniversalClient // another one, to ask with
	longest, sum float64               // ms
	err          error
}

func (m *meter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *meter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (m *meter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		before, err := commandTime(ctx, m.rdb, cmd.Name())
		if err != nil {
			m.err = err
		}
		answer := next(ctx, cmd)
		after, err := commandTime(ctx, m.rdb, cmd.Name())
		if err != nil {
			m.err = err
		}
		m.longest, m.sum = max(m.longest, after-before), m.sum+after-before
		return answer
	}
}

// commandTime sums what Redis spent on commands since it started, in ms. A
// script's time has that of its own commands in it.
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
