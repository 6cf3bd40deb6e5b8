package api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment"
)

// health counts the requests of a core. The time that a request waits for the
// payment provider does not count: letting fewer people in makes a bank no faster.
type health struct {
	inFlight    atomic.Int64
	all, orders tally
}

func (h *health) now() ropeline.Health {
	return ropeline.Health{Tally: h.all.now(), InFlight: h.inFlight.Load(), Orders: h.orders.now()}
}

type tally struct {
	requests, failed, took atomic.Int64 // took in microseconds
	slower                 [len(ropeline.HealthSteps)]atomic.Int64
}

func (t *tally) now() ropeline.Tally {
	now := ropeline.Tally{Requests: t.requests.Load(), Failed: t.failed.Load(), TookMS: t.took.Load() / 1000, Slower: make([]int64, len(t.slower))}
	for i := range t.slower {
		now.Slower[i] = t.slower[i].Load()
	}
	return now
}

func (t *tally) count(took time.Duration, status int) {
	for i, step := range ropeline.HealthSteps {
		if took > time.Duration(step)*time.Millisecond {
			t.slower[i].Add(1)
		}
	}
	if status >= http.StatusInternalServerError {
		t.failed.Add(1)
	}
	t.took.Add(took.Microseconds())
	t.requests.Add(1)
}

// wait is how long a request has waited for the provider.
type wait struct {
	time     atomic.Int64
	inFlight *atomic.Int64 // does not count it meanwhile
}

type waitKey struct{} // of it

// measured counts each request. It answers errors itself, so that it sees them.
func (s *server) measured(c *fiber.Ctx) error {
	waited, began := &wait{inFlight: &s.health.inFlight}, time.Now()
	c.SetUserContext(context.WithValue(c.UserContext(), waitKey{}, waited))
	s.health.inFlight.Add(1)
	defer func() {
		s.health.inFlight.Add(-1)
		took, status := time.Since(began)-time.Duration(waited.time.Load()), c.Response().StatusCode()
		if status == http.StatusUnauthorized || status == http.StatusForbidden {
			return // turned away at the gate, which asks nothing of the shop
		}
		s.health.all.count(took, status)
		if place, _ := route("create-order"); c.Method() == place.Method && c.Path() == place.Path {
			s.health.orders.count(took, status)
		}
	}()
	if err := c.Next(); err != nil {
		return s.refuse(c, err)
	}
	return nil
}

// measuredProvider notes how long requests wait for a payment provider.
type measuredProvider struct{ payment.Provider }

func waiting(ctx context.Context) func() {
	waited, ok := ctx.Value(waitKey{}).(*wait)
	if !ok {
		return func() {}
	}
	began := time.Now()
	waited.inFlight.Add(-1)
	return func() {
		waited.inFlight.Add(1)
		waited.time.Add(int64(time.Since(began)))
	}
}

func (p measuredProvider) Authorize(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Authorize(ctx, c)
}

func (p measuredProvider) Capture(ctx context.Context, attempt string) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Capture(ctx, attempt)
}

func (p measuredProvider) Void(ctx context.Context, attempt string) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Void(ctx, attempt)
}

func (p measuredProvider) Find(ctx context.Context, attempt string) (payment.Payment, error) {
	defer waiting(ctx)()
	return p.Provider.Find(ctx, attempt)
}

// reportEvery is how often a core says how it does.
const reportEvery = time.Second

// report says how this core does until ctx ends.
func (s *server) report(ctx context.Context) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	complained := time.Time{}
	for {
		call, cancel := context.WithTimeout(ctx, reportEvery)
		err := s.line.ReportHealth(call, s.name, s.health.now())
		cancel()
		if now := time.Now(); err != nil && ctx.Err() == nil && now.Sub(complained) > 5*time.Second {
			complained = now
			s.log.Warn("saying how this core does", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
