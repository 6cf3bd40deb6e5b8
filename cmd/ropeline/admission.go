package main

import (
	"context"
	"log/slog"
	"net"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

type admissionCommand struct {
	Redis  string    `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder with seed.key and staff."`
	Listen string    `default:"127.0.0.1:8082" help:"Address to serve the staff's API on, for the edges."`
}

func (c *admissionCommand) Run(ctx context.Context, con console) (err error) {
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return err
	}
	defer closing(&err, rdb)
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	parts, err := newAdmission(rdb, c.Keys, ln, con.log)
	if err != nil {
		return err
	}
	con.log.Info("moving the lines", "ops", address(ln))
	return runAll(ctx, con.log, parts...)
}

// newAdmission wires the controller and the staff's API.
func newAdmission(rdb redis.UniversalClient, keys keyFolder, ln net.Listener, log *slog.Logger) ([]part, error) {
	seed, err := keys.secret(seedKey)
	if err != nil {
		return nil, err
	}
	staff, err := admission.LoadStaff(keys.path(staffFile))
	if err != nil {
		return nil, err
	}
	log = log.With("part", "admission")
	store := queue.New(rdb, queue.Keys{Seed: seed})
	ops := admission.NewOps(store, staff, log)
	return []part{
		{"controller", admission.NewController(store, log).Run},
		{"ops", func(ctx context.Context) error { return serve(ctx, ln, ops, log) }},
	}, nil
}
