package hold_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func request(id ropeline.PerformanceID, session string, life time.Duration) hold.Request {
	return hold.Request{ID: uuid.NewString(), Performance: id, Sale: "gala", Session: session,
		SessionEnds: time.Now().Add(time.Hour), Life: life, Extensions: 1}
}

func TestNothingIsHeldBeforeTheInventoryIsBuilt(t *testing.T) {
	t.Parallel()
	s, id := hold.New(devtest.Redis(t)), ropeline.PerformanceID(uuid.NewString())
	if _, err := s.Units(t.Context(), request(id, "s1", life), []int{1}); !errors.Is(err, inventory.ErrNotReady) {
		t.Fatalf("hold on an unbuilt performance: %v, want inventory-not-ready", err)
	}
}

// A Redis that was restarted may have lost its last second: what was built
// against the process before takes no holds, before any keeper has noticed.
func TestNothingIsHeldAfterARestartBeforeARebuild(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	s, stock, id := hold.New(server.Client), inventory.New(server.Client), ropeline.PerformanceID(uuid.NewString())
	rebuild := func() {
		if _, err := stock.Rebuild(t.Context(), id, recorded{Units: 8}); err != nil {
			t.Fatal(err)
		}
	}
	rebuild()
	if _, err := s.Units(t.Context(), request(id, "s1", life), []int{1}); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Start()
	if _, err := s.Units(t.Context(), request(id, "s2", life), []int{2}); !errors.Is(err, inventory.ErrNotReady) {
		t.Fatalf("hold after the restart: %v, want inventory-not-ready", err)
	}
	rebuild()
	if _, err := s.Units(t.Context(), request(id, "s2", life), []int{2}); err != nil {
		t.Fatalf("hold after the rebuild: %v", err)
	}
}

// A bad card moved a hold's end to two minutes from now, each time: one fan
// could keep units from sale for as long as the session lasts.
func TestFailedPaymentsAddGraceOnce(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	now := time.Now().Truncate(time.Millisecond)
	s, id := hold.NewAt(rdb, func() time.Time { return now }), ropeline.PerformanceID(uuid.NewString())
	if _, err := inventory.New(rdb).Rebuild(t.Context(), id, recorded{Units: 8}); err != nil {
		t.Fatal(err)
	}
	h, err := s.Units(t.Context(), request(id, "s1", 5*time.Minute), []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var ends time.Time
	for i, attempt := range []string{"a1", "a2", "a3"} {
		now = now.Add(20 * time.Second)
		if _, err := s.Pay(t.Context(), id, h.ID, "s1", attempt); err != nil {
			t.Fatal(err)
		}
		if err := s.Unpay(t.Context(), id, h.ID, attempt, time.Hour/2); err != nil {
			t.Fatal(err)
		}
		got, err := s.Find(t.Context(), []ropeline.PerformanceID{id}, h.ID, "s1")
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case i == 0 && !got.Expires.Equal(now.Add(time.Hour/2)):
			t.Errorf("after the first failure the hold ends at %v, want the grace from %v", got.Expires, now)
		case i > 0 && !got.Expires.Equal(ends):
			t.Errorf("after failure %d the hold ends at %v, was %v", i+1, got.Expires, ends)
		}
		ends = got.Expires
	}
}

// Of what a reserve keeps, what was sold is kept still, and not sold again.
func TestWhatIsSoldOfAReserveIsSoldOnce(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	s, id := hold.New(rdb), ropeline.PerformanceID(uuid.NewString())
	r := recorded{Units: 8}
	r.Withheld = inventory.Withheld{Units: []int{1, 2, 3}, By: "guests"}
	if _, err := inventory.New(rdb).Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	take := func(n int) (hold.Hold, error) {
		return s.Claim(t.Context(), request(id, uuid.NewString(), life), hold.Kept(n, []catalogue.Range{{First: 0, Count: 8}}))
	}
	h, err := take(2)
	if err == nil {
		_, err = s.Pay(t.Context(), id, h.ID, h.Session, "a")
	}
	if err == nil {
		err = s.Sell(t.Context(), id, h.ID, "a", h.Units)
	}
	if err != nil || !slices.Equal(h.Units, []int{1, 2}) {
		t.Fatal(h.Units, err)
	}
	if h, err := take(2); !errors.Is(err, hold.ErrSoldOut) {
		t.Errorf("two, where one is left: %v, %v", h.Units, err)
	}
	if h, err := take(1); err != nil || !slices.Equal(h.Units, []int{3}) {
		t.Errorf("the last one: %v, %v", h.Units, err)
	}
}

// Many fans want the same 40 seats in pairs that overlap: each seat goes to
// one of them, and whoever is refused holds nothing at all.
func TestRacingFansNeverShareASeat(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	s, stock, id := hold.New(rdb), inventory.New(rdb), ropeline.PerformanceID(uuid.NewString())
	if _, err := stock.Rebuild(t.Context(), id, recorded{Units: 40}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	owner, refused := map[int]string{}, 0
	var wg sync.WaitGroup
	for fan := range 200 {
		wg.Go(func() {
			session := uuid.NewString()
			h, err := s.Units(t.Context(), request(id, session, life), []int{fan % 40, (fan + 1) % 40})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if !errors.Is(err, hold.ErrUnitsTaken) {
					t.Errorf("fan %d: %v", fan, err)
				}
				refused++
				return
			}
			for _, u := range h.Units {
				if owner[u] != "" {
					t.Errorf("seat %d is held by two fans", u)
				}
				owner[u] = session
			}
		})
	}
	wg.Wait()
	units, err := stock.Bitmaps(t.Context(), id)
	if err != nil || units.Taken.Count(0, 40) != len(owner) {
		t.Fatalf("%d seats are taken, %d are held: %v", units.Taken.Count(0, 40), len(owner), err)
	}
	if refused+len(owner)/2 != 200 {
		t.Fatalf("%d refused and %d hold two seats, of 200 fans", refused, len(owner)/2)
	}
}

// Without a test's clock the deadline is by Redis's: the sweeper puts the
// units back without anybody telling it the time.
func TestSweeperPutsUnitsBackByRedisClock(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	s, stock, id := hold.New(rdb), inventory.New(rdb), ropeline.PerformanceID(uuid.NewString())
	if _, err := stock.Rebuild(t.Context(), id, recorded{Units: 300}); err != nil {
		t.Fatal(err)
	}
	short := request(id, "short", time.Millisecond)
	if _, err := s.Any(t.Context(), short, 6, catalogue.Range{First: 0, Count: 300}); err != nil {
		t.Fatal(err)
	}
	for i := range 150 { // more than one script call takes
		if _, err := s.Units(t.Context(), request(id, uuid.NewString(), time.Millisecond), []int{100 + i}); err != nil {
			t.Fatal(err)
		}
	}
	broken := ropeline.PerformanceID(uuid.NewString()) // the sweeper cannot read it, and sweeps the others
	if err := rdb.Set(t.Context(), inventory.KeysOf(broken).For("")[3], "no sorted set", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Any(t.Context(), request(id, "long", time.Hour), 2, catalogue.Range{First: 0, Count: 300}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	sweeper := hold.Sweeper{Holds: s, Every: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Performances: func(context.Context) ([]ropeline.PerformanceID, error) {
			return []ropeline.PerformanceID{broken, id}, nil
		}}
	done := make(chan error, 1)
	go func() { done <- sweeper.Run(ctx) }()
	waitFor(t, "only the long hold's two units are taken", func() bool {
		units, err := stock.Bitmaps(t.Context(), id)
		return err == nil && units.Taken.Count(0, 300) == 2
	})
	stop()
	if err := <-done; err != nil {
		t.Fatalf("sweeper ended with %v", err)
	}
	h, err := s.Get(t.Context(), id, short.ID, "short")
	if err != nil || h.State != hold.Expired {
		t.Errorf("the fan sees %+v, %v; want an expired hold", h, err)
	}
}

func TestReloadFindsTheSessionsHold(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	s, id := hold.New(rdb), ropeline.PerformanceID(uuid.NewString())
	if _, err := inventory.New(rdb).Rebuild(t.Context(), id, recorded{Units: 10}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.Of(t.Context(), id, "fan"); found || err != nil {
		t.Fatalf("found a hold before there was one: %v", err)
	}
	made, err := s.Units(t.Context(), request(id, "fan", life), []int{3, 4})
	if err != nil {
		t.Fatal(err)
	}
	h, found, err := s.Of(t.Context(), id, "fan")
	if err != nil || !found || h.ID != made.ID || h.State != hold.Held {
		t.Fatalf("found %+v, %v, %v", h, found, err)
	}
	if _, err := s.Get(t.Context(), id, made.ID, "another fan"); !errors.Is(err, hold.ErrUnknown) {
		t.Errorf("another fan reads the hold: %v", err)
	}
	other := ropeline.PerformanceID(uuid.NewString())
	if h, err := s.Find(t.Context(), []ropeline.PerformanceID{other, id}, made.ID, "fan"); err != nil || h.Performance != id {
		t.Errorf("Find among performances: %+v, %v", h, err)
	}
}

// A store that cannot be reached is an error that says so, not a free seat.
func TestUnreachableRedisIsReported(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	s, id := hold.New(server.Client), ropeline.PerformanceID(uuid.NewString())
	server.Kill()
	if _, err := s.Units(t.Context(), request(id, "s1", life), []int{1}); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("hold: %v", err)
	}
	if _, err := s.Get(t.Context(), id, uuid.NewString(), "s1"); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("get: %v", err)
	}
	if _, err := s.Sweep(t.Context(), id, 1); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("sweep: %v", err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("did not come about: %s", what)
		}
	}
}

// BenchmarkScripts is where the costs in the scripts' headers come from.
func BenchmarkScripts(b *testing.B) {
	rdb := devtest.Redis(b)
	s, stock := hold.New(rdb), inventory.New(rdb)
	b.Run("run over 700 full rows", func(b *testing.B) {
		id, full := ropeline.PerformanceID(uuid.NewString()), make([]int, 21000)
		rows := make([]catalogue.Stretch, 700)
		for i := range full {
			full[i] = i
		}
		for i := range rows {
			rows[i].Range = catalogue.Range{First: 30 * i, Count: 30}
		}
		if _, err := stock.Rebuild(b.Context(), id, recorded{Units: 21000, Sold: full}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := s.Claim(b.Context(), request(id, "fan", life), hold.Beside(2, rows)); !errors.Is(err, hold.ErrSoldOut) {
				b.Fatal(err)
			}
		}
	})
	b.Run("sweep 100 holds of 4", func(b *testing.B) {
		id, now := ropeline.PerformanceID(uuid.NewString()), time.Now()
		s := hold.NewAt(rdb, func() time.Time { return now })
		if _, err := stock.Rebuild(b.Context(), id, recorded{Units: 400}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			b.StopTimer()
			for range 100 {
				if _, err := s.Any(b.Context(), request(id, uuid.NewString(), time.Millisecond), 4, catalogue.Range{Count: 400}); err != nil {
					b.Fatal(err)
				}
			}
			now = now.Add(time.Second)
			b.StartTimer()
			if _, err := s.Sweep(b.Context(), id, 100); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hold 4 of 100000 almost sold", func(b *testing.B) {
		id, full := ropeline.PerformanceID(uuid.NewString()), make([]int, 99_990)
		for i := range full {
			full[i] = i
		}
		if _, err := stock.Rebuild(b.Context(), id, recorded{Units: 100_000, Sold: full}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			r := request(id, "fan", life)
			if _, err := s.Any(b.Context(), r, 4, catalogue.Range{Count: 100_000}); err != nil {
				b.Fatal(err)
			}
			if err := s.Release(b.Context(), id, r.ID, "fan"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
