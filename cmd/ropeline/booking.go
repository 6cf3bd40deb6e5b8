package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/queue"
)

type bookingCommand struct {
	Redis    string    `required:"" placeholder:"URL" help:"Redis of the lines and of the inventory, redis:// or unix://."`
	Postgres string    `required:"" placeholder:"DSN" help:"The database."`
	Keys     keyFolder `required:"" placeholder:"DIR" help:"Folder with admission.pub and order.key."`
	Listen   string    `default:"127.0.0.1:8081" help:"Address to serve on, for the edges."`
	Gate     string    `placeholder:"NAME" help:"Name of this process among all gates; host and process id if empty."`
}

func (c *bookingCommand) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	parts, err := newBooking(on.redis, on.postgres, c.Keys, c.Gate, ln, con.log)
	if err != nil {
		return err
	}
	con.log.Info("serving the booking core", "address", address(ln))
	return runAll(ctx, con.log, parts...)
}

// newBooking wires the booking core behind a gate of its own. It can verify
// admission tokens and sign none.
func newBooking(rdb redis.UniversalClient, db *pgxpool.Pool, keys keyFolder, name string, ln net.Listener, log *slog.Logger) ([]part, error) {
	trusted, err := token.LoadKeySet(keys.path(admissionPublic))
	if err != nil {
		return nil, err
	}
	links, err := keys.secret(orderKey)
	if err != nil {
		return nil, err
	}
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("naming the gate: %w", err)
		}
		name = fmt.Sprintf("booking-%s-%d", host, os.Getpid())
	}
	log = log.With("part", "booking")
	ended := queue.NewRevocations(queue.New(rdb, queue.Keys{}), name, log)
	core, err := api.New(api.Config{
		Postgres: db, Redis: rdb,
		Gate:     gate.New(token.NewVerifier(trusted, time.Now), ended),
		OrderKey: links, Provider: sandbox.New(db), Log: log,
	})
	if err != nil {
		return nil, err
	}
	return []part{
		{"gate", ended.Run},
		{"booking", func(ctx context.Context) error { return core.Serve(ctx, ln) }},
	}, nil
}

type workerCommand struct {
	Redis    string `required:"" placeholder:"URL" help:"Redis of the inventory, redis:// or unix://."`
	Postgres string `required:"" placeholder:"DSN" help:"The database."`
}

func (c *workerCommand) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	con.log.Info("sweeping holds and settling payments")
	return newWorker(on.redis, on.postgres, con.log).Run(ctx)
}

func newWorker(rdb redis.UniversalClient, db *pgxpool.Pool, log *slog.Logger) *order.Worker {
	return order.NewWorker(order.WorkerConfig{
		Postgres: db, Redis: rdb, Provider: sandbox.New(db), Log: log.With("part", "worker"),
	})
}
