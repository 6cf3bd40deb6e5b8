package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// clusterScheme marks the URL of a cluster: redis+cluster://host:port names one
// of its nodes, ?addr=host:port further ones; rediss+cluster:// speaks TLS.
const clusterScheme = "+cluster://"

// cluster makes a client of a Redis Cluster. It follows MOVED and ASK, which say
// that a command was not carried out; but go-redis would also repeat one whose
// answer was lost, as often as it follows, whatever MaxRetries says. So such an
// error is hidden from it (see unanswered).
func cluster(url string) (redis.UniversalClient, error) {
	opts, err := redis.ParseClusterURL(strings.Replace(url, clusterScheme, "://", 1))
	if err != nil {
		return nil, fmt.Errorf("reading the Redis URL: %w", err)
	}
	opts.Protocol = 3
	opts.MaxRetries = -1
	opts.MaxRedirects = 4
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout = 2 * time.Second
	opts.DialerRetries = 1
	opts.ClusterStateReloadInterval = 5 * time.Second
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	once := &once{}
	opts.NewClient = func(o *redis.Options) *redis.Client {
		c := redis.NewClient(o)
		c.AddHook(once)
		return c
	}
	c := redis.NewClusterClient(opts)
	once.cluster.Store(c)
	return c, nil
}

// once is a hook of a node's client: a command is carried out at most once, and
// a node that cannot be reached lets the client ask who has its slots now.
type once struct {
	cluster atomic.Pointer[redis.ClusterClient]
}

func (o *once) DialHook(next redis.DialHook) redis.DialHook { return next }

func (o *once) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return o.seen(ctx, next(ctx, cmd))
	}
}

// ProcessPipelineHook leaves pipelines as they are: what is sent in one here
// only reads, or may be carried out twice, as the scripts of holds may.
func (o *once) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o *once) seen(ctx context.Context, err error) error {
	if _, answered := errors.AsType[redis.Error](err); err == nil || answered {
		return err
	}
	if c := o.cluster.Load(); c != nil {
		c.ReloadState(ctx)
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" || ctx.Err() != nil {
		return err // it was never sent, or is not repeated anyway
	}
	return unanswered{err.Error()}
}

// unanswered is the error of a command that may have been carried out. It does
// not wrap what it was made of: by that go-redis would know that it can try
// again.
type unanswered struct{ why string }

func (e unanswered) Error() string { return "no answer: " + e.why }

// Skew returns how many masters serve, and how far their clocks are apart at
// most, with an uncertainty of half the time that the slowest took to answer. A
// server that is no cluster is one master.
func Skew(ctx context.Context, client redis.UniversalClient) (masters int, skew time.Duration, err error) {
	c, ok := client.(*redis.ClusterClient)
	if !ok {
		return 1, 0, client.Ping(ctx).Err()
	}
	var mu sync.Mutex
	var least, most time.Duration
	err = c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.Ping(ctx).Err(); err != nil { // connected before the clock is read
			return err
		}
		asked := time.Now()
		theirs, err := node.Time(ctx).Result()
		if err != nil {
			return err
		}
		ahead := theirs.Sub(asked.Add(time.Since(asked) / 2))
		mu.Lock()
		defer mu.Unlock()
		if masters++; masters == 1 {
			least, most = ahead, ahead
		}
		least, most = min(least, ahead), max(most, ahead)
		return nil
	})
	return masters, most - least, err
}

// EachMaster does something with the client of each master, or of the only
// server.
func EachMaster(ctx context.Context, client redis.UniversalClient, do func(context.Context, redis.UniversalClient) error) error {
	c, ok := client.(*redis.ClusterClient)
	if !ok {
		return do(ctx, client)
	}
	return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return do(ctx, node) })
}
