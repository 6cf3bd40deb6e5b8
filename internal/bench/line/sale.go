package main

import (
	"context"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// The sale's name is part of the keys that this bench writes itself.
const sale ropeline.SaleID = "bench"

func key(name string) string { return "ropeline:{" + string(sale) + "}:" + name }

// lineKey names a key of its only line.
func lineKey(name string) string { return "ropeline:{" + string(sale) + ".0}:" + name }

// keys are no secrets here: the line's cost does not depend on them.
var keys = queue.Keys{Place: make([]byte, 32), Seed: make([]byte, 32)}

// publish makes a sale whose lobby closed when told and whose limits hold nobody
// back.
func publish(ctx context.Context, store *queue.Store, closed time.Time) error {
	return store.PublishSale(ctx, ropeline.Sale{
		ID: sale, Version: 1, Title: "Bench",
		LobbyClosesAt: closed, OpensAt: closed.Add(time.Millisecond), EndsAt: closed.Add(24 * time.Hour),
		Cap: ropeline.MaxCap, Rate: ropeline.MaxRate,
		ClaimWindow: 600, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 6,
	})
}

// open publishes a sale whose lobby was empty and has been drawn: who joins now
// is appended to the line.
func open(ctx context.Context, store *queue.Store) error {
	if err := publish(ctx, store, time.Now().Add(-time.Minute)); err != nil {
		return err
	}
	return store.Draw(ctx, sale)
}

// steer changes how the sale admits.
func steer(ctx context.Context, store *queue.Store, mode ropeline.Mode, reason string) error {
	_, err := store.Steer(ctx, sale, queue.Change{Set: queue.Settings{Mode: &mode}, By: "sre", Reason: reason})
	return err
}
