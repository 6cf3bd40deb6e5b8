package api

import (
	"context"
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
	before, began := c.api.server.health.now(), time.Now()
	c.pay(fan, "slow", h.ID, sandbox.Slow).is(http.StatusCreated, nil) // two seconds at the provider
	c.pay(fan, "slow", h.ID, sandbox.Slow).is(http.StatusCreated, nil) // the same answer again, of one order
	own := (time.Since(began) - 2*time.Second).Milliseconds()          // what is left for the core, on a busy machine too
	c.get("/api/v1/nowhere", "").refused(http.StatusNotFound, "route-unknown")
	c.do(http.MethodPost, "/api/v1/orders", "", "", "Idempotency-Key", "k") // of nobody: is turned away
	now := c.api.server.health.now()
	if slow := now.SlowerThan(1500) - before.SlowerThan(1500); now.Requests-before.Requests != 3 || (slow != 0 && own <= 1500) || now.Failed != before.Failed {
		t.Errorf("counted %+v after %+v", now, before)
	}
	if now.Orders.Requests-before.Orders.Requests != 2 || now.Orders.TookMS-before.Orders.TookMS > own || now.InFlight != before.InFlight {
		t.Errorf("counted orders %+v after %+v, and %d under way", now.Orders, before.Orders, now.InFlight)
	}
	for deadline := time.Now().Add(20 * time.Second); ; c.get("/api/v1/events", "") {
		c.line.mu.Lock()
		said := c.line.health
		c.line.mu.Unlock()
		if said.Requests >= now.Requests {
			if said.Written != 1 {
				t.Errorf("%d orders were written, want 1: %+v", said.Written, said)
			}
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
	now := h.said()
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

// What is under way counts as old once it has taken so long, but for the time at the
// provider, and is counted as slow once: by being old, then by its answer.
func TestWhatIsUnderWayIsCounted(t *testing.T) {
	t.Parallel()
	var h health
	page, order := h.begin(false), h.begin(true)
	page.began = page.began.Add(-400 * time.Millisecond)
	order.began = order.began.Add(-2 * time.Second)
	told := waiting(context.WithValue(t.Context(), workKey{}, order))
	order.waits = order.waits.Add(-time.Second) // so it was busy for one, too
	check := func(what string, got ropeline.Tally, inFlight, older300, older750, older1500, requests int64) {
		t.Helper()
		if got.InFlight != inFlight || got.OlderThan(300) != older300 || got.OlderThan(750) != older750 || got.OlderThan(1500) != older1500 || got.Requests != requests {
			t.Errorf("%s: %+v", what, got)
		}
	}
	check("all, one at the provider", h.now().Tally, 1, 2, 1, 0, 0)
	check("orders at the provider", h.now().Orders, 0, 1, 1, 0, 0)
	told()
	check("orders that came back", h.now().Orders, 1, 1, 1, 0, 0)
	order.end(http.StatusCreated)
	page.end(http.StatusForbidden)
	check("all that were answered", h.now().Tally, 0, 0, 0, 0, 1)
	if now := h.now().Orders; now.SlowerThan(750) != 1 || now.SlowerThan(1500) != 0 {
		t.Errorf("the order is counted as %+v", now)
	}
}
