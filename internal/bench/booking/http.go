package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/errgroup"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/api"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/internal/bench"
	"github.com/ropeline/ropeline/internal/bench/caller"
)

// shopRows measures what a whole booking core does.
func shopRows(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	return rowsOf(ctx, p, out, (*shop).served, (*shop).mixed)
}

// httpRows measures its holds over HTTP, and nothing else: for whoever works on them.
func httpRows(ctx context.Context, p bench.Plan, out io.Writer) ([]bench.Row, error) {
	return rowsOf(ctx, p, out, (*shop).served)
}

func rowsOf(ctx context.Context, p bench.Plan, out io.Writer, measure ...func(*shop, context.Context, bench.Plan, io.Writer) ([]bench.Row, error)) (rows []bench.Row, err error) {
	s, err := openShop(ctx, endless, out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	for _, of := range measure {
		more, err := of(s, ctx, p, out)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// served measures holds over HTTP by a booking core, with the check of the token
// and the session that is kept, beside a handler in Fiber that reads the same
// requests and answers the same, and does nothing.
func (s *shop) served(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	idle, stop, err := serveNothing()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	n := p.Of(8_000)
	var known, fresh, nothing load
	for run := range p.Runs {
		for _, way := range []struct {
			address string
			known   bool
			to      *load
		}{{s.address, true, &known}, {idle, false, &nothing}, {s.address, false, &fresh}} {
			fans, err := s.admit(ctx, n, seatsPerHold)
			if err != nil {
				return nil, err
			}
			if way.known {
				if _, err := ask(ctx, way.address, fans, s.look, fiber.StatusOK); err != nil {
					return nil, err
				}
			}
			before, err := s.cpu(ctx)
			if err != nil {
				return nil, err
			}
			took, err := ask(ctx, way.address, fans, s.want, fiber.StatusCreated)
			if err != nil {
				return nil, err
			}
			after, err := s.cpu(ctx)
			if err != nil {
				return nil, err
			}
			way.to.rates = append(way.to.rates, float64(n)/took.Seconds())
			way.to.cpu = append(way.to.cpu, float64((after-before).Microseconds())/float64(n))
		}
		fmt.Fprintf(out, "run %d: %.0f holds/s, %.0f with tokens that are new; a handler that does nothing %.0f/s; CPU %.0f, %.0f and %.0f µs\n", run+1,
			known.rates[run], fresh.rates[run], nothing.rates[run], known.cpu[run], fresh.cpu[run], nothing.cpu[run])
	}
	const reference = "Fiber handler that only parses and answers"
	return []bench.Row{
		bench.Compare("holds over HTTP with token check, 64 connections", "holds/s", known.rates, reference, nothing.rates).RatioAtLeast(0.35),
		bench.Compare("CPU a hold, same, with Redis and the client", "µs", known.cpu, reference, nothing.cpu).Untargeted(),
		bench.Compare("same, each with a token that was not seen before", "holds/s", fresh.rates, reference, nothing.rates).Untargeted(),
	}, nil
}

// load is what a way to answer did in each run.
type load struct {
	rates []float64 // a second
	cpu   []float64 // µs for each
}

// cpu is the processor time of this program, which is core and clients, and of Redis.
func (s *shop) cpu(ctx context.Context) (time.Duration, error) {
	its, err := s.redis.CPU(ctx)
	own, ownErr := ownCPU()
	return its + own, errors.Join(err, ownErr)
}

// ready waits until the core has counted what there is to sell.
func (s *shop) ready(ctx context.Context) error {
	fans, err := s.admit(ctx, 1, seatsPerHold)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = ask(ctx, s.address, fans, s.want, fiber.StatusCreated); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// want is the request for a fan's hold, look the one for what they hold.
func (s *shop) want(f fan) []byte {
	units := strings.ReplaceAll(fmt.Sprint(f.units), " ", ",")
	body := fmt.Sprintf(`{"performance":%q,"units":%s}`, s.show, units)
	return fmt.Appendf(nil, "POST /api/v1/holds HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		f.token, len(body), body)
}

func (s *shop) look(f fan) []byte {
	return fmt.Appendf(nil, "GET /api/v1/holds HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer %s\r\n\r\n", f.token)
}

// serveNothing is the reference.
func serveNothing() (address string, stop func() error, err error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/api/v1/holds", func(c *fiber.Ctx) error {
		var want api.HoldRequest
		if err := c.BodyParser(&want); err != nil {
			return err
		}
		answer := api.Hold{ID: "01a2192a-ae5f-76ec-8d47-b5ba07a31a46", Performance: ropeline.PerformanceID(want.Performance), Sale: "bench", Units: want.Units,
			Total: booking.Money{Amount: 18_000, Currency: "EUR"}, ExpiresAt: time.Now().UTC(), ExtensionsLeft: 1, State: hold.Held}
		for _, u := range want.Units {
			answer.Lines = append(answer.Lines, catalogue.Line{Unit: u, Label: "Standing-1", Tier: answer.ID, Price: booking.Money{Amount: 4_500, Currency: "EUR"}})
		}
		return c.Status(fiber.StatusCreated).JSON(answer)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(ln) }()
	return ln.Addr().String(), func() error { return errors.Join(app.Shutdown(), <-done) }, nil
}

// ask sends a request for each fan over so many connections as there are callers
// and returns how long all took. Whatever is not answered as it should be is an
// error.
func ask(ctx context.Context, address string, fans []fan, request func(fan) []byte, status int) (time.Duration, error) {
	requests := make([][]byte, len(fans))
	for i, f := range fans {
		requests[i] = request(f)
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range min(holders, len(fans)) {
		g.Go(func() error {
			c, err := caller.Dial(ctx, address)
			if err != nil {
				return err
			}
			defer c.Close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				a, err := c.Ask(requests[i])
				if err != nil {
					return err
				}
				if a.Status != status {
					return fmt.Errorf("answered %d %s", a.Status, a.Body)
				}
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	return time.Since(began), err
}
