package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/dial"
)

// servers are the connections of a command that needs both.
type servers struct {
	redis    redis.UniversalClient
	postgres *pgxpool.Pool
}

// openServers makes the connections; the caller closes them. Neither server
// has been asked anything yet.
func openServers(ctx context.Context, redisURL, postgresDSN string) (servers, error) {
	rdb, err := dial.Redis(redisURL)
	if err != nil {
		return servers{}, err
	}
	db, err := dial.Postgres(ctx, postgresDSN)
	if err != nil {
		return servers{}, errors.Join(err, rdb.Close())
	}
	return servers{rdb, db}, nil
}

func (s servers) Close() error {
	s.postgres.Close()
	return s.redis.Close()
}
