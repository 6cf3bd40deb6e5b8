package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/bench/caller"
)

// core is a booking core that serves, on a Redis of its own.
type core struct {
	redis   *bench.Redis
	address string
	stop    func() error
}

func startCore(ctx context.Context, db *pgxpool.Pool) (c *core, err error) {
	c = &core{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.redis, err = bench.StartRedis(ctx); err != nil {
		return c, err
	}
	text, err := admission.GenerateKey()
	if err != nil {
		return c, err
	}
	signer, err := admission.ParseSigner(text)
	if err != nil {
		return c, err
	}
	booking, err := api.New(api.Config{
		Postgres: db, Redis: c.redis.Client, Gate: gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), nil, nil),
		OrderKey: make([]byte, 32), Provider: sandbox.New(db), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return c, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	c.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- booking.Serve(ctx, ln) }()
	c.stop = func() error {
		cancel()
		return <-done
	}
	return c, nil
}

// Close ends the core and its Redis.
func (c *core) Close() (err error) {
	if c.stop != nil {
		err = c.stop()
	}
	if c.redis != nil {
		err = errors.Join(err, c.redis.Close())
	}
	return err
}

// plain is a Fiber app with nothing but these handlers, which others are compared with.
func plain(routes func(*fiber.App)) (address string, stop func() error, err error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	routes(app)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(ln) }()
	return ln.Addr().String(), func() error { return errors.Join(app.Shutdown(), <-done) }, nil
}

// heard is what a crowd was answered.
type heard struct {
	times []time.Duration // of each request, the shortest first
	took  time.Duration
	empty int // answers that the crowd's check did not count
}

func (h heard) rate() float64 { return float64(len(h.times)) / h.took.Seconds() }

// at is the time in ms that this part of the requests took at most.
func (h heard) at(part float64) float64 {
	return float64(h.times[min(len(h.times)-1, int(part*float64(len(h.times))))].Microseconds()) / 1000
}

// crowd asks for all paths over so many connections, each as soon as it has been answered.
// Whatever is not answered with 200 is an error; what full says no to is counted.
func crowd(ctx context.Context, address string, connections int, paths []string, full func(body []byte) bool) (h heard, err error) {
	requests := make([][]byte, len(paths))
	for i, p := range paths {
		requests[i] = []byte("GET " + strings.ReplaceAll(p, " ", "%20") + " HTTP/1.1\r\nHost: shop.example\r\n\r\n")
	}
	h.times = make([]time.Duration, len(paths))
	var next, empty atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range connections {
		g.Go(func() (err error) {
			c, err := caller.Dial(ctx, address)
			if err != nil {
				return err
			}
			defer closing(&err, c)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				asked := time.Now()
				a, err := c.Ask(requests[i])
				if err != nil {
					return err
				}
				h.times[i] = time.Since(asked)
				if a.Status != fiber.StatusOK {
					return fmt.Errorf("%s: answered %d %s", paths[i], a.Status, a.Body)
				}
				if full != nil && !full(a.Body) {
					empty.Add(1)
				}
			}
			return ctx.Err()
		})
	}
	err = g.Wait()
	h.took, h.empty = time.Since(began), int(empty.Load())
	slices.Sort(h.times)
	return h, err
}
