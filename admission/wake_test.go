package admission

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue"
)

// A quiet sale is ticked once a second or seldomer, and those of 1,000 sales waited
// for each other: whoever came to one had the turn after 2 to 6 s, though there was
// room. Here calm sales are never ticked again by themselves, and all turns of calm
// ticks are taken.
func TestWhoeverComesToAQuietSaleIsOfferedAtOnceHoweverManySalesThereAre(t *testing.T) {
	t.Parallel()
	store := queue.New(devtest.PrivateRedis(t).Client, queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)})
	t.Cleanup(store.Close)
	now := time.Now()
	sale := func(id ropeline.SaleID, cap int64) ropeline.SaleID {
		t.Helper()
		err := store.PublishSale(t.Context(), ropeline.Sale{
			ID: id, Version: 1, Title: "Test", LobbyClosesAt: now.Add(-2 * time.Minute), OpensAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour),
			Cap: cap, Rate: 6000, ClaimWindow: 30, TokenLife: 60, SessionMax: 600, Hold: 5, UnitsPerHold: 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	crowded := sale("crowded", 1)
	var sales []ropeline.SaleID
	for i := range 10 {
		sales = append(sales, sale(ropeline.SaleID(fmt.Sprint("quiet-", i)), 2))
	}
	c := NewController(store, slog.New(slog.DiscardHandler))
	c.calm = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- c.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}()
	until(t, "all sales are drawn", func() bool {
		for _, id := range append(sales, crowded) {
			if s, err := store.State(t.Context(), id); err != nil || !s.Drawn {
				return false
			}
		}
		return true
	})
	for range cap(c.turns) { // as if ticks of other sales were under way, for ever
		c.turns <- struct{}{}
	}
	for i := range 30 {
		if _, err := store.Join(t.Context(), crowded, ropeline.PlaceID(fmt.Sprintf("crowd%017d", i)), ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range sales {
		if _, err := store.Join(t.Context(), id, "somebody00000000000000", ""); err != nil {
			t.Fatal(err)
		}
		until(t, fmt.Sprintf("who came to %s is offered", id), func() bool {
			s, err := store.State(t.Context(), id)
			return err == nil && s.LastOffer == 1
		})
	}
	for range cap(c.turns) {
		<-c.turns
	}
}

// until waits for something that has to come.
func until(t *testing.T, what string, came func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for late := time.After(20 * time.Second); !came(); {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("it never came: %s", what)
		}
	}
}
