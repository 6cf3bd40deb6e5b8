package bench

import (
	"context"
	"errors"

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
	if r.folder, err = devstack.OpenTemporary(ctx); err != nil {
		return r, err
	}
	if r.server, err = r.folder.StartRedis(ctx, devstack.Durable); err != nil {
		return r, err
	}
	r.URL = r.server.URL
	r.Client, err = dial.Redis(r.URL)
	return r, err
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
