package monitor

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"
)

// Redis counts the calls of a client that Redis did not answer, by what went
// wrong, and shows how busy its connections are.
func Redis(reg prometheus.Registerer, rdb redis.UniversalClient) {
	if reg == nil {
		return
	}
	rdb.AddHook(&redisHook{promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "ropeline_redis_errors_total",
		Help: "Calls that Redis did not answer, or not with what was asked for: timeout, pool (no connection became free in time), connection, or refused (it cannot serve now). Answers of our own scripts are none.",
	}, []string{"kind"})})
	gauge := func(name, help string, of func(*redis.PoolStats) uint32) {
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(rdb.PoolStats())) })
	}
	gauge("ropeline_redis_connections", "Connections to Redis.", func(s *redis.PoolStats) uint32 { return s.TotalConns })
	gauge("ropeline_redis_connections_idle", "Connections to Redis that nobody uses now.", func(s *redis.PoolStats) uint32 { return s.IdleConns })
	promauto.With(reg).NewCounterFunc(prometheus.CounterOpts{
		Name: "ropeline_redis_pool_timeouts_total",
		Help: "Calls for which no connection to Redis became free in time.",
	}, func() float64 { return float64(rdb.PoolStats().Timeouts) })
}

type redisHook struct{ errors *prometheus.CounterVec }

func (h *redisHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.count(ctx, err)
		return err
	}
}

func (h *redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		h.count(ctx, err)
		return err
	}
}

func (h *redisHook) count(ctx context.Context, err error) {
	if kind := redisTrouble(err); kind != "" && !errors.Is(ctx.Err(), context.Canceled) { // else the caller went away
		h.errors.WithLabelValues(kind).Inc()
	}
}

// refusals are the codes with which a server says that it cannot serve now.
var refusals = []string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "BUSY", "OOM", "NOREPLICAS"}

// redisTrouble names what went wrong with a call, "" for nothing.
func redisTrouble(err error) string {
	if err == nil {
		return ""
	}
	if _, answered := errors.AsType[redis.Error](err); answered { // redis.Nil is one, too
		for _, code := range refusals {
			if redis.HasErrorPrefix(err, code) {
				return "refused"
			}
		}
		return ""
	}
	if errors.Is(err, redis.ErrPoolTimeout) {
		return "pool"
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return "connection"
}

// Postgres shows how busy a pool's connections are.
func Postgres(reg prometheus.Registerer, db *pgxpool.Pool) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, of func(*pgxpool.Stat) int32) {
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(db.Stat())) })
	}
	gauge("ropeline_postgres_connections", "Connections to Postgres.", (*pgxpool.Stat).TotalConns)
	gauge("ropeline_postgres_connections_used", "Connections to Postgres that somebody uses now.", (*pgxpool.Stat).AcquiredConns)
	gauge("ropeline_postgres_connections_limit", "Connections to Postgres that there may be.", (*pgxpool.Stat).MaxConns)
	promauto.With(reg).NewCounterFunc(prometheus.CounterOpts{
		Name: "ropeline_postgres_waits_total",
		Help: "Times that somebody waited because all connections to Postgres were used.",
	}, func() float64 { return float64(db.Stat().EmptyAcquireCount()) })
}
