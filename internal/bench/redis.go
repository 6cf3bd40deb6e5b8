package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
)

// Redis is a private server that something is measured on. It writes to the disk, as
// in production.
type Redis struct {
	URL    string
	Client redis.UniversalClient

	folder *devstack.Folder
	server *devstack.Redis
}

// StartRedis starts one; the caller closes it.
func StartRedis(ctx context.Context) (r *Redis, err error) {
	r = &Redis{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
			r = nil
		}
	}()
	if r.folder, err = devstack.OpenTemporary(ctx, devstack.Durable); err != nil {
		return r, err
	}
	if r.server, err = r.folder.StartRedis(ctx, devstack.Durable); err != nil {
		return r, err
	}
	r.URL = r.server.URL
	if r.Client, err = dial.Redis(r.URL); err != nil {
		return r, err
	}
	// A rewrite of the append-only file would be measured together with whatever it falls on.
	if err := r.Client.ConfigSet(ctx, "auto-aof-rewrite-percentage", "0").Err(); err != nil {
		return r, fmt.Errorf("switching rewrites off: %w", err)
	}
	return r, nil
}

var mainThread = regexp.MustCompile(`used_cpu_(?:user|sys)_main_thread:([\d.]+)`)

// CPU is the processor time that the thread has used which runs commands.
func (r *Redis) CPU(ctx context.Context) (sum time.Duration, err error) {
	text, err := r.Client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	found := mainThread.FindAllStringSubmatch(text, -1)
	if len(found) != 2 {
		return 0, fmt.Errorf("odd statistics of Redis: %q", text)
	}
	for _, f := range found {
		seconds, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum, nil
}

// Close stops it, and removes what it wrote.
func (r *Redis) Close() error {
	var errs []error
	if r.Client != nil {
		errs = append(errs, r.Client.Close())
	}
	if r.server != nil {
		errs = append(errs, r.server.Close())
	}
	if r.folder != nil {
		errs = append(errs, r.folder.Remove())
	}
	return errors.Join(errs...)
}
