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
	requests, failed, inFlight atomic.Int64
	slower                     [len(ropeline.HealthSteps)]atomic.Int64
}

func (h *health) now() ropeline.Health {
	now := ropeline.Health{Requests: h.requests.Load(), Failed: h.failed.Load(), InFlight: h.inFlight.Load(), Slower: make([]int64, len(h.slower))}
	for i := range h.slower {
		now.Slower[i] = h.slower[i].Load()
	}
	return now
}

func (h *health) count(took time.Duration, status int) {
	for i, step := range ropeline.HealthSteps {
		if took > time.Duration(step)*time.Millisecond {
			h.slower[i].Add(1)
		}
	}
	if status >= http.StatusInternalServerError {
		h.failed.Add(1)
	}
	h.requests.Add(1)
}

type waitedKey struct{} // of the time that a request has waited for the provider

// measured counts each request. It answers errors itself, so that it sees them.
func (s *server) measured(c *fiber.Ctx) error {
	waited, began := new(atomic.Int64), time.Now()
	c.SetUserContext(context.WithValue(c.UserContext(), waitedKey{}, waited))
	s.health.inFlight.Add(1)
	defer func() {
		s.health.inFlight.Add(-1)
		s.health.count(time.Since(began)-time.Duration(waited.Load()), c.Response().StatusCode())
	}()
	if err := c.Next(); err != nil {
		return s.refuse(c, err)
	}
	return nil
}

// measuredProvider notes how long requests wait for a payment provider.
type measuredProvider struct{ payment.Provider }

func waiting(ctx context.Context) func() {
	began := time.Now()
	return func() {
		if waited, ok := ctx.Value(waitedKey{}).(*atomic.Int64); ok {
			waited.Add(int64(time.Since(began)))
		}
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
