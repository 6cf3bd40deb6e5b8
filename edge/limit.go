package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"
	limitstore "github.com/ulule/limiter/v3/drivers/store/redis"

	"github.com/ropeline/ropeline"
)

const (
	limitPrefix = "ropeline:limit"
	limitWindow = time.Minute
	// limitPatience is how long a request waits to be counted: a count takes
	// 50 µs, so a quarter second means that Redis is away.
	limitPatience = 250 * time.Millisecond
	// limitRest is how long counting rests after it did not work, so that an
	// absent Redis costs one request a second its patience, not each.
	limitRest = time.Second
)

// rule is one limit: so many a minute for each key.
type rule struct {
	name   string
	whose  string // for people: whose requests are too many
	rate   limiter.Rate
	closed bool // while counting is away everybody is refused, else nobody
}

func perMinute(name, whose string, n int64) rule {
	return rule{name: name, whose: whose, rate: limiter.Rate{Period: limitWindow, Limit: n}}
}

// limits counts requests in Redis, in fixed windows: at the border of two
// windows a key may do twice its rate. Counting is a help and no guarantee:
// while Redis is away requests pass, and the handlers answer for themselves, but
// for the limits that are closed then: what they stop is worse than a refusal.
type limits struct {
	redis redis.UniversalClient
	now   func() time.Time
	log   *slog.Logger

	reached, uncounted *prometheus.CounterVec // by limit

	mu     sync.Mutex    // guards the rest
	store  limiter.Store // made at the first request: it needs Redis
	restTo time.Time
}

func newLimits(c Config) *limits {
	count := func(name, help string) *prometheus.CounterVec {
		return promauto.With(c.Metrics).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"limit"})
	}
	return &limits{
		redis: c.Redis, now: c.Now, log: c.Log,
		reached:   count("ropeline_edge_limited_total", "Requests that were refused with 429, by the limit that they were too much for."),
		uncounted: count("ropeline_edge_uncounted_total", "Requests that could not be counted because Redis did not answer, by limit."),
	}
}

func (r rule) unlimited() bool { return r.rate.Limit < 0 }

// take counts one request of key and returns ropeline.ErrRateLimited when it
// is one too many, ropeline.ErrStoreAway if it cannot be counted and the limit is
// closed then.
func (l *limits) take(ctx context.Context, h http.Header, r rule, key string) error {
	if r.unlimited() {
		return nil
	}
	store := l.ready()
	if store == nil {
		return l.miss(r, errRests)
	}
	counting, cancel := context.WithTimeout(ctx, limitPatience)
	defer cancel()
	got, err := store.Get(counting, r.name+":"+key, r.rate)
	if err != nil {
		if ctx.Err() == nil { // else the client went away, which says nothing about Redis
			l.rest(err)
		}
		return l.miss(r, err)
	}
	reset := max(time.Unix(got.Reset, 0).Sub(l.now()), time.Second)
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", r.name, r.rate.Limit, int64(limitWindow.Seconds())))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%s", r.name, got.Remaining, ropeline.RetryAfter(reset)))
	if !got.Reached {
		return nil
	}
	l.reached.WithLabelValues(r.name).Inc()
	limited := *ropeline.ErrRateLimited
	limited.Detail = "Too many requests " + r.whose + ". Please wait a moment."
	limited.RetryAfter = reset
	return &limited
}

var errRests = errors.New("the store of the limits did not answer a moment ago")

// miss is what comes of a request that could not be counted.
func (l *limits) miss(r rule, err error) error {
	l.uncounted.WithLabelValues(r.name).Inc()
	if !r.closed {
		return nil
	}
	return ropeline.ErrStoreAway.Because(err)
}

// ready returns the store, made on the way, or nil while counting rests.
func (l *limits) ready() limiter.Store {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now().Before(l.restTo) {
		return nil
	}
	if l.store != nil {
		return l.store
	}
	store, err := limitstore.NewStoreWithOptions(patient{l.redis}, limiter.StoreOptions{Prefix: limitPrefix})
	if err != nil {
		l.restFrom(err)
		return nil
	}
	l.store = store
	return store
}

// rest stops counting for a moment and says why.
func (l *limits) rest(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restFrom(err)
}

func (l *limits) restFrom(err error) { // mu is held
	if now := l.now(); now.After(l.restTo) {
		l.restTo = now.Add(limitRest)
		l.log.Warn("requests are not counted: the store of the limits does not answer", "err", err)
	}
}

// patient bounds the one call that the library makes without a context of
// ours: loading its scripts while the store is made.
type patient struct{ redis.UniversalClient }

func (p patient) ScriptLoad(ctx context.Context, script string) *redis.StringCmd {
	ctx, cancel := context.WithTimeout(ctx, limitPatience)
	defer cancel()
	return p.UniversalClient.ScriptLoad(ctx, script)
}
