package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// A credential that is spent again finds its place and never a second one: not
// from the lobby, not while the draw runs, not from the line.
func TestAnAttemptOfAVisitorIsWorthOnePlace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2043, 1, 1, 0, 0, 0, 0, time.UTC)
	store := New(devtest.Redis(t), testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("attempt-%d", time.Now().UnixNano()), now)
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	for _, when := range []struct {
		name  string
		begin func() error
	}{
		{"lobby", func() error { return nil }},
		{"drawing", func() error { now = sale.LobbyClosesAt; return nil }},
		{"line", func() error { return store.Draw(ctx, sale.ID) }},
	} {
		if err := when.begin(); err != nil {
			t.Fatal(err)
		}
		who := store.VisitorOf(sale.ID, ropeline.VisitorBrowser, when.name)
		first, second := store.PlaceOf(sale.ID, who, "one", 1), store.PlaceOf(sale.ID, who, "two", 1)
		if first == second || shardOf(store.PlaceOf(sale.ID, who, "one", 3), 3) != shardOf(store.PlaceOf(sale.ID, who, "two", 3), 3) {
			t.Fatalf("%s: the attempts' places are %s and %s", when.name, first, second)
		}
		if p, err := store.Join(ctx, sale.ID, first, who); err != nil || !p.New || p.ID != first {
			t.Fatalf("%s: joining: %+v, %v", when.name, p, err)
		}
		for _, attempt := range []ropeline.PlaceID{first, second} {
			if p, err := store.Join(ctx, sale.ID, attempt, who); err != nil || p.New || p.ID != first || p.State.Final() {
				t.Errorf("%s: joining again as %s: %+v, %v", when.name, attempt, p, err)
			}
		}
		if _, err := store.Leave(ctx, sale.ID, first); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if p, err := store.Join(ctx, sale.ID, first, who); err != nil || p.New || p.State != ropeline.PlaceLeft {
				t.Errorf("%s: the attempt again, whose place was left: %+v, %v", when.name, p, err)
			}
		}
		if p, err := store.Join(ctx, sale.ID, second, who); err != nil || !p.New || p.ID != second {
			t.Errorf("%s: another attempt after leaving: %+v, %v", when.name, p, err)
		}
		if p, err := store.Join(ctx, sale.ID, first, who); err != nil || p.New || p.State.Final() && p.ID != first {
			t.Errorf("%s: the first attempt once more: %+v, %v", when.name, p, err)
		}
	}
	if p, err := store.Find(ctx, sale.ID, store.PlaceOf(sale.ID, "nobody", "one", 1)); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("nobody's place is %+v, %v", p, err)
	}
}
