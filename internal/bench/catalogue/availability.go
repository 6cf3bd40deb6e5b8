package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/bench"
)

const (
	seats = 20_000
	every = 5 * time.Millisecond // so often
)

// availabilityRows measures what is free of a hall of 20,000 seats while seats are taken
// and given back.
func availabilityRows(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	server, err := bench.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, server)
	shows := catalogue.New(server.Pool, time.Now)
	opens := time.Now().UTC().Truncate(time.Second)
	sale, err := shows.Seed(ctx, catalogue.Plan{
		Sale: ropeline.Sale{
			ID: "bench", Version: 1, Title: "Bench", LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour),
			Cap: 10, Rate: 60, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
		},
		Venue: "Bench", StartsAt: opens.Add(time.Hour), Seats: seats,
	})
	if err != nil {
		return nil, err
	}
	c, err := startCore(ctx, server.Pool)
	if err != nil {
		return nil, err
	}
	defer closing(&err, c)
	show := sale.Performances[0]
	path := "/api/v1/performances/" + string(show) + "/availability"
	size, err := built(ctx, c.address, path)
	if err != nil {
		return nil, err
	}
	address, stop, err := plain(func(app *fiber.App) {
		text := bytes.Repeat([]byte{'x'}, size)
		app.Get("/*", func(c *fiber.Ctx) error { return c.Send(text) })
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	paths := make([]string, p.Of(100_000))
	for i := range paths {
		paths[i] = path
	}
	var ours, theirs []float64
	for run := range p.Runs {
		for _, way := range []struct {
			address string
			to      *[]float64
		}{{c.address, &ours}, {address, &theirs}} {
			h, changed, err := whileSeatsChange(ctx, hold.New(c.redis.Client), show, func(ctx context.Context) (heard, error) {
				return crowd(ctx, way.address, browsers, paths, nil)
			})
			if err != nil {
				return nil, err
			}
			if changed == 0 {
				return nil, errors.New("no seat has changed")
			}
			*way.to = append(*way.to, h.rate())
		}
		fmt.Fprintf(out, "run %d: %.0f looks/s at %d bytes, of a handler with as many %.0f\n", run+1, ours[run], size, theirs[run])
	}
	return []bench.Row{bench.Compare("availability of 20,000 seats while seats change, 64 connections", "/s", ours, "Fiber handler answering as many bytes", theirs).RatioAtLeast(0.5)}, nil
}

// built waits until the core has counted what there is to sell, and returns how long the
// answer is that says so.
func built(ctx context.Context, address, path string) (size int, err error) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err = crowd(ctx, address, 1, []string{path}, func(body []byte) bool { size = len(body); return true })
		if err == nil || time.Now().After(deadline) {
			return size, err
		}
	}
}

// whileSeatsChange does something while four seats after the other are taken and given
// back, 200 times a second, and returns how often that was.
func whileSeatsChange(ctx context.Context, holds *hold.Store, show ropeline.PerformanceID, do func(context.Context) (heard, error)) (h heard, changed int, err error) {
	defer holds.Close()
	c := changer{holds: holds, show: show}
	changing, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-changing.Done():
				done <- nil
				return
			case <-tick.C:
			}
			if err := c.change(ctx); err != nil { // to its end: what was taken by one cut short is not known
				done <- err
				return
			}
			changed++
		}
	}()
	h, err = do(ctx)
	stop()
	err = errors.Join(err, <-done)
	if c.held.ID != "" { // else the next who changes finds them taken
		err = errors.Join(err, c.change(ctx))
	}
	return h, changed, err
}

// changer takes four seats, gives them back, and goes on with the next ones.
type changer struct {
	holds *hold.Store
	show  ropeline.PerformanceID
	first int
	held  hold.Hold
}

func (c *changer) change(ctx context.Context) (err error) {
	if c.held.ID != "" {
		err = c.holds.Release(ctx, c.show, c.held.ID, c.held.Session)
		c.held = hold.Hold{}
		return err
	}
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	c.held, err = c.holds.Claim(ctx, hold.Request{ID: id, Performance: c.show, Sale: "bench", Session: id, SessionEnds: time.Now().Add(time.Hour), Life: 10 * time.Minute},
		hold.These([]int{c.first, c.first + 1, c.first + 2, c.first + 3}))
	c.first = (c.first + 4) % seats
	return err
}
