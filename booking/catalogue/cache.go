package catalogue

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/tenant"
)

const (
	// fresh is how long a cached value is believed: a corrected price or a
	// changed setting of the sale shows within this time.
	fresh = time.Minute
	// lenient is how long a value is believed again after Postgres was away
	// when it should have been read afresh.
	lenient = 5 * time.Second
	// patience is how long one reading may take.
	patience = 5 * time.Second
)

// cache keeps what was read in the last minute. A value that is no longer
// fresh is read by one caller while the others wait for it, and is good for a
// little longer while Postgres is away.
type cache[K ~string, V any] struct {
	now  func() time.Time
	read func(context.Context, K) (V, error)

	flights singleflight.Group
	mu      sync.Mutex // guards kept
	kept    map[K]cached[V]
}

type cached[V any] struct {
	value V
	until time.Time
}

func newCache[K ~string, V any](now func() time.Time, read func(context.Context, K) (V, error)) *cache[K, V] {
	return &cache[K, V]{now: now, read: read, kept: map[K]cached[V]{}}
}

func (c *cache[K, V]) get(ctx context.Context, key K) (V, error) {
	if value, isFresh, _ := c.look(key); isFresh {
		return value, nil
	}
	_, err, _ := c.flights.Do(string(key), func() (any, error) {
		if _, isFresh, _ := c.look(key); isFresh {
			return nil, nil // the flight before this one brought it
		}
		// The others wait for this one: it does not end with its own request.
		// Nor does it see the rows of one organization alone: it is kept for all.
		ctx, cancel := context.WithTimeout(tenant.With(context.WithoutCancel(ctx), ""), patience)
		defer cancel()
		value, err := c.read(ctx, key)
		if err == nil {
			c.keep(key, value, fresh)
			return nil, nil
		}
		if old, _, found := c.look(key); found && errors.Is(err, ropeline.ErrStoreAway) {
			c.keep(key, old, lenient)
			return nil, nil
		}
		return nil, err
	})
	value, _, _ := c.look(key)
	return value, err
}

func (c *cache[K, V]) look(key K) (value V, isFresh, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, found := c.kept[key]
	return kept.value, found && c.now().Before(kept.until), found
}

func (c *cache[K, V]) keep(key K, value V, life time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[key] = cached[V]{value: value, until: c.now().Add(life)}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, key)
}
