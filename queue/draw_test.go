package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue/draw"
)

// A controller that dies in the middle of a draw leaves some scores behind.
// The next one must come to the same order, and who joined or left meanwhile
// must not land inside the lobby's range.
func TestADrawThatWasKilledEndsTheSame(t *testing.T) {
	t.Parallel()
	rdb, ctx := devtest.Redis(t), t.Context()
	now := time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("draw-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	var lobby []ropeline.PlaceID
	for i := range 2500 {
		lobby = append(lobby, ropeline.PlaceID(fmt.Sprintf("lobby-%d", i)))
	}
	for _, r := range store.joinAll(ctx, lineID{sale.ID, 0}, entries(lobby)) {
		if r.Err != nil || r.Value.State != ropeline.PlaceCollected {
			t.Fatalf("joining the lobby: %+v, %v", r.Value, r.Err)
		}
	}
	now = sale.LobbyClosesAt.Add(time.Second)

	seed, err := store.drawSeed(ctx, sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	drawKey := draw.Key(seed, draw.Root(slices.Sorted(slices.Values(lobby))), draw.Hash{})
	half := redis.Z{Member: string(lobby[7]), Score: float64(draw.Score(drawKey, lobby[7]))}
	if err := rdb.ZAdd(ctx, lineID{sale.ID, 0}.key("drawing"), half).Err(); err != nil { // the killed draw's remains
		t.Fatal(err)
	}
	if _, err := store.run(ctx, finishDrawScript, lineID{sale.ID, 0}.keys("line", "drawing", "order", "collected", "pending", "quit", "departed", "entrants"), "e"); !errors.Is(err, errDrawIncomplete) {
		t.Fatalf("ending an incomplete draw: %v", err)
	}
	if _, err := store.Join(ctx, sale.ID, "late", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Leave(ctx, sale.ID, lobby[9]); err != nil {
		t.Fatal(err)
	}
	if p, err := store.Find(ctx, sale.ID, lobby[9]); err != nil || p.State != ropeline.PlaceLeft {
		t.Errorf("who left during the draw is %s, %v", p.State, err)
	}
	// Somebody who is no entrant any more stands in the remains: they are thrown
	// away, and the next draw comes to its end.
	if err := rdb.ZAdd(ctx, lineID{sale.ID, 0}.key("drawing"), redis.Z{Member: "left long ago", Score: 1}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.Draw(ctx, sale.ID); !errors.Is(err, errDrawIncomplete) {
		t.Errorf("a draw with a stranger in it: %v", err)
	}
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	order, err := rdb.ZRange(ctx, lineID{sale.ID, 0}.key("order"), 0, -1).Result()
	if err != nil || len(order) != 2501 || order[2500] != "late" {
		t.Fatalf("%d places, the last %q, %v; want 2501 with the late one last", len(order), order[len(order)-1], err)
	}
	want := draw.Order(drawKey, lobby)
	for i, id := range want {
		if order[i] != string(id) {
			t.Fatalf("ordinal %d is %s, want %s", i, order[i], id)
		}
	}
	before := view(t, store, sale.ID)
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal("drawing again:", err)
	}
	if after := view(t, store, sale.ID); after.Epoch != before.Epoch || before.Epoch == "" {
		t.Error("a second draw began a second epoch")
	}
	if p, err := store.Find(ctx, sale.ID, lobby[9]); err != nil || p.State != ropeline.PlaceLeft || p.Ordinal < 0 {
		t.Errorf("after the draw who left is %s at %d, %v", p.State, p.Ordinal, err)
	}
}

func TestACloseThatHasPassedIsNotMoved(t *testing.T) {
	t.Parallel()
	now := time.Date(2044, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("moved-%d", time.Now().UnixNano()), now)
	publish := func(version int64, closes time.Time) error {
		sale.Version, sale.LobbyClosesAt = version, closes
		return store.PublishSale(t.Context(), sale)
	}
	closes := sale.LobbyClosesAt.Add(2 * time.Second)
	if err := errors.Join(publish(1, sale.LobbyClosesAt), publish(2, closes)); err != nil {
		t.Fatalf("moving a close that is to come: %v", err)
	}
	if err := store.Draw(t.Context(), sale.ID); !errors.Is(err, errDrawIncomplete) {
		t.Errorf("drawing an open lobby: %v", err)
	}
	now = closes
	if err := publish(3, closes.Add(time.Second)); !errors.Is(err, ErrLobbyClosed) {
		t.Errorf("moving a close that has passed: %v", err)
	}
	if err := publish(3, closes); err != nil {
		t.Errorf("a new version with the same close: %v", err)
	}
	if err := store.Draw(t.Context(), sale.ID); err != nil {
		t.Error(err)
	}
}

// What a fan can see of a draw, and when: the commitment from the first moment
// on, the root when nobody can enter any more, the seed when the order is made.
func TestADrawIsPublishedStepByStepAndHolds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("published-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	first, err := store.Drawing(ctx, sale.ID)
	if err != nil || len(first.Commitment) != 64 || first.Root != "" || first.Seed != "" {
		t.Fatalf("at the creation: %+v, %v; want the commitment alone", first, err)
	}
	sale.Version++
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	if again, err := store.Drawing(ctx, sale.ID); err != nil || again != first {
		t.Errorf("the same close published again: %+v, %v; want %+v", again, err, first)
	}
	for range 40 {
		join(t, store, sale.ID)
	}
	if err := store.Draw(ctx, sale.ID); !errors.Is(err, errDrawIncomplete) {
		t.Errorf("drawing an open lobby: %v", err)
	}
	if open, err := store.Drawing(ctx, sale.ID); err != nil || open != first {
		t.Errorf("a draw that came too early gave something away: %+v, %v", open, err)
	}
	if _, err := store.DrawFile(ctx, sale.ID); !errors.Is(err, ErrNotDrawn) {
		t.Errorf("the draw of an open lobby: %v", err)
	}
	now = sale.LobbyClosesAt
	if err := store.Draw(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	f, err := store.DrawFile(ctx, sale.ID)
	if err != nil || len(f.Places) != 40 || fmt.Sprintf("%x", f.Commitment) != first.Commitment {
		t.Fatalf("the draw: %d places, commitment %x, %v; want 40 and %s", len(f.Places), f.Commitment, err, first.Commitment)
	}
	for _, c := range f.Verify() {
		if c.Err != nil {
			t.Errorf("%s: %v", c.What, c.Err)
		}
	}
	for i, id := range f.Places {
		if p, err := store.Find(ctx, sale.ID, id); err != nil || p.Ordinal != int64(i) {
			t.Fatalf("place %d of the draw has ordinal %d, %v", i, p.Ordinal, err)
		}
	}
}
