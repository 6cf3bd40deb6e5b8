package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// keep puts units into a reserve.
func keep(t *testing.T, rdb redis.UniversalClient, id ropeline.PerformanceID, r *recorded, units ...int) {
	t.Helper()
	r.Withheld = inventory.Withheld{Units: units, By: "a reserve"}
	if _, err := inventory.New(rdb).Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

// What a reserve withholds nobody can take. What was held before comes back into
// it, what is sold is sold, and what is released is free, all while holds go on.
func TestReservesWithholdUnits(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	r := recorded{Units: 12, Sold: []int{0}}
	s, id := build(t, rdb, r)
	holds, before := hold.New(rdb), units(t, rdb, id, "before", 2, 3)
	keep(t, rdb, id, &r, 0, 2, 5, 6)
	check(t, s, id, r, "free 7 held 2 paying 0 sold 1 []")
	count := func(want string) {
		t.Helper()
		c, err := s.Count(t.Context(), id, []inventory.Span{{First: 0, Count: 5}, {First: 5, Count: 7}})
		b, err2 := s.Bitmaps(t.Context(), id)
		got := fmt.Sprint(c.Taken, c.Sold, c.Closed, b.Closed.Count(0, 5), b.Closed.Count(5, 7))
		if err != nil || err2 != nil || got != want {
			t.Errorf("counted %s (%v, %v), want %s", got, err, err2, want)
		}
	}
	count("[3 2] [1 0] [1 2] 1 2")
	if _, err := holds.Units(t.Context(), hold.Request{ID: uuid.NewString(), Performance: id, Sale: "gala", Session: "late",
		SessionEnds: time.Now().Add(time.Hour), Life: time.Hour}, []int{4, 5}); !errors.Is(err, hold.ErrUnitsTaken) {
		t.Errorf("a unit of a reserve was held: %v", err)
	}
	if err := holds.Release(t.Context(), id, before.ID, "before"); err != nil {
		t.Fatal(err)
	}
	check(t, s, id, r, "free 8 held 0 paying 0 sold 1 []")
	r.Withheld = inventory.Withheld{}
	if _, err := s.Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	check(t, s, id, r, "free 11 held 0 paying 0 sold 1 []")
	count("[1 0] [1 0] [0 0] 0 0")
	// Of what a returns list has before anybody else, what is taken is closed as well, whether
	// somebody holds it still or it came free.
	held := units(t, rdb, id, "holder", 3)
	list(t, rdb, id, &r, 3, 4)
	count("[2 0] [1 0] [1 0] 1 0")
	if err := holds.Release(t.Context(), id, held.ID, "holder"); err != nil {
		t.Fatal(err)
	}
	count("[2 0] [1 0] [1 0] 1 0")
}

// reserves says which one is in force, and what it withholds.
type reserves struct {
	mu    sync.Mutex // guards what follows
	by    string
	units []int
}

func (r *reserves) set(by string, units ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by, r.units = by, units
}

func (r *reserves) InForce(context.Context) (map[ropeline.PerformanceID]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return map[ropeline.PerformanceID]string{reserved: r.by}, nil
}

func (r *reserves) Withheld(context.Context, ropeline.PerformanceID) ([]int, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units, r.by, nil
}

// reserved is the performance that has reserves.
var reserved = ropeline.PerformanceID(uuid.NewString())

// The keeper sees when a reserve is made or released, and does nothing else anew.
func TestKeeperFollowsReserves(t *testing.T) {
	t.Parallel()
	s, kept, built := inventory.New(devtest.Redis(t)), &reserves{by: "first", units: []int{1, 2}}, 0
	keeper := inventory.Keeper{Store: s, Records: recorded{Units: 8}, Reserves: kept, Log: slog.New(slog.DiscardHandler),
		Performances: func(context.Context) ([]ropeline.PerformanceID, error) {
			return []ropeline.PerformanceID{reserved}, nil
		},
		EndStrays: func(context.Context, ropeline.PerformanceID) error { built++; return nil }}
	for i, step := range []struct {
		by    string
		units []int
		built int
	}{{"first", []int{1, 2}, 1}, {"first", []int{1, 2}, 1}, {"first second", []int{1, 2, 7}, 2}, {"second", []int{7}, 3}, {"", nil, 4}, {"", nil, 4}} {
		kept.set(step.by, step.units...)
		if err := keeper.Build(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, err := s.Bitmaps(t.Context(), reserved)
		if err != nil || b.Closed.Count(0, 8) != len(step.units) || b.Taken.Count(0, 8) != len(step.units) || built != step.built {
			t.Errorf("step %d: closed %v, taken %v, built %d times, %v", i, b.Closed, b.Taken, built, err)
		}
	}
}
