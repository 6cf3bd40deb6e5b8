package inventory

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/unpool.lua
var unpoolText string

var unpool = redis.NewScript(unpoolText)

// Pooled is a unit that came free and is kept for the returns list.
type Pooled struct {
	Unit  int
	Since time.Time // by Redis's clock, or the one that hold.NewAt was given
}

// Pool lists what is kept for the returns list of a performance and belongs to nobody,
// what lies there for longest first.
func (s *Store) Pool(ctx context.Context, id ropeline.PerformanceID) ([]Pooled, error) {
	list, err := s.rdb.ZRangeWithScores(ctx, poolOf(KeysOf(id).For("")[0]), 0, -1).Result()
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the pool of %s: %w", id, err))
	}
	pool := make([]Pooled, len(list))
	for i, z := range list {
		member, _ := z.Member.(string)
		unit, err := strconv.Atoi(member)
		if err != nil {
			return nil, fmt.Errorf("reading the pool of %s: unit %q", id, member)
		}
		pool[i] = Pooled{Unit: unit, Since: time.UnixMilli(int64(z.Score)).UTC()}
	}
	return pool, nil
}

// Unpool puts units on sale for anybody that the returns list does not want, and
// returns how many. What is not in the pool any more stays as it is.
func (s *Store) Unpool(ctx context.Context, id ropeline.PerformanceID, units []int) (int, error) {
	args := make([]any, len(units))
	for i, u := range units {
		args[i] = u
	}
	n, err := unpool.Run(ctx, s.rdb, KeysOf(id).For("")[:2], args...).Int()
	if err != nil {
		return 0, ropeline.ErrStoreAway.Because(fmt.Errorf("opening the pool of %s: %w", id, err))
	}
	return n, nil
}
