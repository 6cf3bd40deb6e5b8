package inventory

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/count.lua
var countText string

var count = redis.NewScript(countText)

// Span is a run of units to count, a tier.
type Span struct{ First, Count int }

// Counts are numbers of units and holds of a performance at one instant.
type Counts struct {
	At          time.Time // by Redis's clock
	Taken, Sold []int64   // of each span
	Closed      []int64   // withheld by a reserve and not sold
	Holds       int64     // live ones
	Ended       Ended
}

// Ended says what became of the holds that are over, as far as Redis remembers.
type Ended struct {
	Sold, SoldUnits int64
	Back, BackUnits int64 // given back or run out
}

// Plus adds two.
func (e Ended) Plus(o Ended) Ended {
	return Ended{e.Sold + o.Sold, e.SoldUnits + o.SoldUnits, e.Back + o.Back, e.BackUnits + o.BackUnits}
}

// Count counts the spans of a performance; ErrNotReady while it is not built.
func (s *Store) Count(ctx context.Context, id ropeline.PerformanceID, spans []Span) (Counts, error) {
	args := make([]any, 0, 2*len(spans))
	for _, p := range spans {
		args = append(args, p.First, p.First+p.Count-1)
	}
	answer, err := count.Run(ctx, s.rdb, KeysOf(id).For("")[:5], args...).Slice()
	if err != nil {
		return Counts{}, ropeline.ErrStoreAway.Because(fmt.Errorf("counting units of %s: %w", id, err))
	}
	const fixed = 7
	if len(answer) != fixed+3*len(spans) {
		return Counts{}, fmt.Errorf("counting units of %s: %d fields", id, len(answer))
	}
	if answer[0] == "" {
		return Counts{}, ErrNotReady
	}
	n := make([]int64, len(answer))
	for i, a := range answer[1:] {
		n[i+1], _ = a.(int64)
	}
	c := Counts{At: time.UnixMicro(n[1]).UTC(), Holds: n[2], Ended: Ended{n[3], n[4], n[5], n[6]}}
	for i := fixed; i+2 < len(n); i += 3 {
		c.Taken, c.Sold, c.Closed = append(c.Taken, n[i]), append(c.Sold, n[i+1]), append(c.Closed, n[i+2])
	}
	return c, nil
}
