// Package dial opens the connections to Redis and Postgres, in one place, so
// that every process and every test talks to them under the same settings.
//
// The one hard idea is what it switches off: go-redis repeats a command whose
// answer was lost, and a repeated script may take effect twice. Nobody here
// retries behind the caller's back. The package knows no key and no table.
package dial

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/ropeline/ropeline/internal/tenant"
)

// quiet stops go-redis from printing each failed dial to standard error: the
// error comes back to the caller as well, who logs it once and in our form.
var quiet = sync.OnceFunc(logging.Disable)

// Redis makes a client for a redis:// or unix:// URL, or of a cluster for a
// redis+cluster:// one. It does not connect yet, so a part can start while Redis
// is away.
func Redis(url string) (redis.UniversalClient, error) {
	quiet()
	if strings.Contains(url, clusterScheme) {
		return cluster(url)
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("reading the Redis URL: %w", err)
	}
	opts.Protocol = 3
	opts.MaxRetries = -1 // the default of 3 ran an EVALSHA of INCR twice when its answer was lost
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout = 2 * time.Second
	opts.DialerRetries = 1 // each part tries again in its own time, and says so; the default of 5 takes half a second to fail
	// Redis 7.0 knows neither of these commands; without this every new connection starts with two errors.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(opts), nil
}

// Postgres makes a pool for a DSN, whose connections are of the organization of the
// context that they are taken for. Like Redis it does not connect yet.
func Postgres(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the Postgres DSN: %w", err)
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 3 * time.Second
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		cfg.MaxConns = 16 // pgx's own default, one a processor, fits work that does not wait for a disk
	}
	if _, said := cfg.ConnConfig.RuntimeParams["statement_timeout"]; !said {
		// Longer than any statement of ours takes, shorter than a request may: a
		// client that gave up, or died, leaves no statement behind that waits for
		// a lock. Migrations have a connection of their own, without this.
		cfg.ConnConfig.RuntimeParams["statement_timeout"] = "20s"
	}
	tenant.Guard(cfg)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening the Postgres pool: %w", err)
	}
	return pool, nil
}
