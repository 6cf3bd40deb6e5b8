package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// A net stays open for months: what it knows of those who are long gone does not
// grow with everybody who ever came.
func TestASafetyNetForgetsWhoIsLongGone(t *testing.T) {
	t.Parallel()
	rdb, now := devtest.Redis(t), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	sale := testSale(fmt.Sprintf("net-%d", time.Now().UnixNano()), now)
	sale.SafetyNet, sale.LobbyClosesAt, sale.OpensAt, sale.EndsAt = true, time.Time{}, now, now.Add(365*24*time.Hour)
	store := New(rdb, testKeys).WithClock(func() time.Time { return now })
	t.Cleanup(store.Close)
	ctx := t.Context()
	if err := store.PublishSale(ctx, sale); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if _, err := store.Tick(ctx, sale.ID, "controller", time.Hour); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		id := ropeline.PlaceID(fmt.Sprint("fan-", i))
		p, passed, err := store.Pass(ctx, sale.ID, id)
		if err != nil || !passed {
			t.Fatalf("fan %d: %+v, %v, %v", i, p, passed, err)
		}
		if known, err := store.Find(ctx, sale.ID, id); err != nil || known.State != ropeline.PlaceActive {
			t.Fatalf("fan %d is found as %+v, %v", i, known, err)
		}
	}
	for _, name := range []string{"numbers", "sessions"} {
		n, err := rdb.HLen(ctx, key(sale.ID, name)).Result()
		if err != nil || n > 12 {
			t.Errorf("%d %s are kept of 60 fans who came a minute apart, want those of 11 min (%v)", n, name, err)
		}
	}
	if _, err := store.Find(ctx, sale.ID, "fan-0"); !errors.Is(err, ErrPlaceUnknown) {
		t.Errorf("who came an hour ago: %v, want ErrPlaceUnknown", err)
	}
}

func TestTheKindOfASaleIsFixed(t *testing.T) {
	t.Parallel()
	store := New(devtest.Redis(t), testKeys)
	t.Cleanup(store.Close)
	sale := testSale(fmt.Sprintf("kind-%d", time.Now().UnixNano()), time.Now())
	if err := store.PublishSale(t.Context(), sale); err != nil {
		t.Fatal(err)
	}
	sale.Version, sale.SafetyNet, sale.LobbyClosesAt = 2, true, time.Time{}
	if err := store.PublishSale(t.Context(), sale); !errors.Is(err, ErrNetFixed) {
		t.Errorf("a sale that becomes a safety net: %v, want ErrNetFixed", err)
	}
}
