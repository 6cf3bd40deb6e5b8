package devstack

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Stack is the durable pair of servers of `ropeline dev`.
type Stack struct {
	RedisURL    string
	RedisPID    int
	PostgresDSN string
	PostgresPID int

	folder   *Folder
	redis    *Redis
	postgres *Postgres
	log      *slog.Logger
}

// Start locks the data folder and starts both servers on what it holds. The
// caller closes the stack.
func Start(ctx context.Context, dir string, log *slog.Logger) (*Stack, error) {
	began := time.Now()
	folder, err := Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{folder: folder, log: log}
	if s.redis, err = folder.StartRedis(ctx, Durable); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.postgres, err = folder.StartPostgres(ctx, Durable); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.postgres.ensure(ctx, "ropeline"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.RedisURL, s.RedisPID = s.redis.URL, s.redis.pid
	s.PostgresDSN, s.PostgresPID = s.postgres.DSN("ropeline"), s.postgres.pid
	log.Info("private servers are up", "redis_pid", s.RedisPID, "postgres_pid", s.PostgresPID,
		"data", folder.path, "took", time.Since(began).Round(time.Millisecond))
	return s, nil
}

// Reset deletes what the servers of a data folder have stored, and nothing
// else in it. It refuses while another process uses the folder.
func Reset(ctx context.Context, dir string) error {
	folder, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(
		os.RemoveAll(filepath.Join(folder.path, "redis")),
		os.RemoveAll(filepath.Join(folder.path, "postgres")),
		folder.Close(),
	)
}

// Watch blocks until the context ends, or a server ends that nobody stopped:
// then it says which one and why.
func (s *Stack) Watch(ctx context.Context) error {
	ended := errors.New("it ended on its own")
	select {
	case <-ctx.Done():
		return nil
	case <-s.redis.done:
		return s.redis.failure(errors.Join(ended, s.redis.outcome))
	case <-s.postgres.done:
		return s.postgres.failure(errors.Join(ended, s.postgres.outcome))
	}
}

// Close ends the servers and unlocks the folder. Whatever uses the servers
// must have ended before.
func (s *Stack) Close() error {
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	return errors.Join(append(errs, s.folder.Close())...)
}
