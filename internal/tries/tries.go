// Package tries counts how often somebody has tried what only one who knows gets right:
// a code, a password. Each try is counted before it is looked at, so that a thousand at
// once are no way round, and one that was right is taken back. The counters are Redis's,
// by whose clock they end; nobody tries uncounted while it is away.
package tries

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/take.lua
var takeText string

var take = redis.NewScript(takeText)

// Limit is how many tries may be wrong in a window, which begins with the first.
type Limit struct {
	Most   int
	Window time.Duration
}

// Take counts one more try under a key. If there were too many it is not counted, and
// wait says how long none is looked at; else wait is 0.
func (l Limit) Take(ctx context.Context, rdb redis.UniversalClient, key string) (wait time.Duration, err error) {
	ms, err := take.Run(ctx, rdb, []string{key}, l.Most, l.Window.Milliseconds()).Int64()
	if err != nil {
		return 0, fmt.Errorf("counting a try: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// Back forgets a try that was right. If that fails it counts as wrong, for a window.
func (l Limit) Back(ctx context.Context, rdb redis.UniversalClient, key string) {
	_, _ = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Decr(ctx, key)
		p.ExpireNX(ctx, key, l.Window) // the counter may have ended meanwhile
		return nil
	})
}
