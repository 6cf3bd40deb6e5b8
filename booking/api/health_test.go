package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// A core says how many requests it answered, how many failed and how many were
// slow, but for the time that it waited for the payment provider.
func TestACoreSaysHowItDoes(t *testing.T) {
	t.Parallel()
	c := start(t)
	fan := c.fan()
	h := c.hold(fan, 1)
	before := c.api.server.health.now()
	c.pay(fan, "slow", h.ID, sandbox.Slow).is(http.StatusCreated, nil) // two seconds at the provider
	c.get("/api/v1/nowhere", "").refused(http.StatusNotFound, "route-unknown")
	c.do(http.MethodPost, "/api/v1/orders", "", "", "Idempotency-Key", "k") // of nobody: is turned away
	now := c.api.server.health.now()
	if slow := now.SlowerThan(1500) - before.SlowerThan(1500); now.Requests-before.Requests != 2 || slow != 0 || now.Failed != before.Failed {
		t.Errorf("counted %+v after %+v", now, before)
	}
	if now.Orders.Requests-before.Orders.Requests != 1 || now.Orders.TookMS-before.Orders.TookMS > 1500 || now.InFlight != before.InFlight {
		t.Errorf("counted orders %+v after %+v, and %d under way", now.Orders, before.Orders, now.InFlight)
	}
	for deadline := time.Now().Add(20 * time.Second); ; c.get("/api/v1/events", "") {
		c.line.mu.Lock()
		said := c.line.health
		c.line.mu.Unlock()
		if said.Requests >= now.Requests {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the core says %+v, and has counted %+v", said, now)
		}
	}
}

func TestRequestsAreCountedByHowLongTheyTook(t *testing.T) {
	t.Parallel()
	var h tally
	for _, took := range []time.Duration{-time.Second, time.Millisecond, 300 * time.Millisecond, 301 * time.Millisecond, time.Minute} {
		h.count(took, http.StatusOK)
	}
	h.count(0, http.StatusBadGateway)
	now := h.now()
	for ms, want := range map[int64]int64{1: 6, 25: 3, 299: 3, 300: 2, 350: 2, 10_000: 1, 60_000: 1} {
		if got := now.SlowerThan(ms); got != want {
			t.Errorf("%d were slower than %d ms, want %d", got, ms, want)
		}
	}
	if now.Requests != 6 || now.Failed != 1 {
		t.Errorf("%+v", now)
	}
	if (ropeline.Tally{Requests: 3}).SlowerThan(300) != 3 {
		t.Error("who says nothing of its times counts as fast")
	}
}
