package admission

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// With 1,000 calm sales each was ticked once a second, which was the lease: each tick
// found it run out, and two controllers took the sales from each other. What a
// controller had learned of a shop was lost each time.
func TestACalmSaleStaysWithWhoLeadsIt(t *testing.T) {
	t.Parallel()
	rdb := devtest.PrivateRedis(t).Client
	store := queue.New(rdb, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})
	t.Cleanup(store.Close)
	now := time.Now()
	err := store.PublishSale(t.Context(), ropeline.Sale{
		ID: "calm", Version: 1, Title: "Test", LobbyClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour),
		Cap: 1, Rate: 6000, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	heard := rdb.Subscribe(t.Context(), "ropeline:{calm}:ticks")
	t.Cleanup(func() { _ = heard.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	for range 2 {
		c := NewController(store, slog.New(slog.DiscardHandler))
		c.calm = calmTickMany // as if there were as many sales
		running.Go(func() { _ = c.Run(ctx) })
	}
	late := time.After(20 * time.Second)
	var terms []int64
	for open := 0; open < 3; {
		select {
		case m := <-heard.Channel():
			var s queue.State
			if err := json.Unmarshal([]byte(m.Payload), &s); err != nil {
				t.Fatal(err)
			}
			if s.Phase() == ropeline.PhaseOpen {
				open, terms = open+1, append(terms, s.Term)
			}
		case <-late:
			t.Fatal("it is not ticked")
		}
	}
	if terms[0] != terms[2] {
		t.Errorf("the leads of three ticks are %d", terms)
	}
}

func TestASaleThatIsSteeredIsNeverCalm(t *testing.T) {
	t.Parallel()
	c := NewController(queue.New(nil, queue.Keys{}), slog.New(slog.DiscardHandler))
	now := time.Now()
	calm := queue.State{Now: now, ClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour)}
	calm.Drawn, calm.Mode = true, ropeline.ModeRun
	steered, unsteered := &pilot{}, &pilot{}
	steered.set.On = true
	for sales, want := range map[int64]time.Duration{1: calmTick, 600: 600 * time.Millisecond, 5000: calmTickMany} {
		c.moving.Store(sales)
		if got := c.pauseAfter(calm, unsteered.flies(calm)); got != want {
			t.Errorf("of %d sales a calm one is ticked after %v, want %v", sales, got, want)
		}
		if got := c.pauseAfter(calm, steered.flies(calm)); got != queue.TickInterval {
			t.Errorf("of %d sales one that is steered is ticked after %v", sales, got)
		}
	}
}

// Who stands beside asks when the lease may have run out, and no sooner.
func TestWhoDoesNotLeadAsksWhenTheLeaseRunsOut(t *testing.T) {
	t.Parallel()
	store := queue.New(devtest.PrivateRedis(t).Client, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})
	t.Cleanup(store.Close)
	now := time.Now()
	err := store.PublishSale(t.Context(), ropeline.Sale{
		ID: "led", Version: 1, Title: "Test", LobbyClosesAt: now.Add(time.Hour), OpensAt: now.Add(time.Hour + time.Minute), EndsAt: now.Add(2 * time.Hour),
		Cap: 1, Rate: 6000, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	if lead, err := store.Tick(t.Context(), "led", "another", time.Minute); err != nil || !lead.Leads {
		t.Fatal(lead.Leads, err)
	}
	if beside, err := store.Tick(t.Context(), "led", "beside", lease); err != nil || beside.Leads || beside.Lease > time.Minute || beside.Lease < time.Minute/2 {
		t.Errorf("beside a lease of a minute: %v, %v, %v", beside.Leads, beside.Lease, err)
	}
	c := NewController(store, slog.New(slog.DiscardHandler))
	if phase, pause, err := c.step(t.Context(), "led", nil); phase != "" || pause != lease+time.Millisecond || err != nil {
		t.Errorf("it asks after %v, %v", pause, err)
	}
	for left, want := range map[time.Duration]time.Duration{0: queue.TickInterval, -1: queue.TickInterval, lease / 3: lease/3 + time.Millisecond} {
		if got := pauseBeside(left); got != want {
			t.Errorf("with %v left it asks after %v, want %v", left, got, want)
		}
	}
}
