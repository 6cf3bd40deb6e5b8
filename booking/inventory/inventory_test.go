package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// recorded stands for what Postgres says: a fixed answer. Package order tests
// the real one.
type recorded inventory.Recorded

func (r recorded) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded(r), nil
}

func build(t *testing.T, rdb redis.UniversalClient, r recorded) (*inventory.Store, ropeline.PerformanceID) {
	t.Helper()
	s, id := inventory.New(rdb), ropeline.PerformanceID(uuid.NewString())
	if _, err := s.Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	return s, id
}

func units(t *testing.T, rdb redis.UniversalClient, id ropeline.PerformanceID, session string, units ...int) hold.Hold {
	t.Helper()
	h, err := hold.New(rdb).Units(t.Context(), hold.Request{ID: uuid.NewString(), Performance: id, Sale: "gala",
		Session: session, SessionEnds: time.Now().Add(time.Hour), Life: time.Hour}, units)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Redis lost everything: what is sold and what is being paid for comes back
// from Postgres, and a payment that then fails frees its units.
func TestRebuildFromNothing(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	paying := inventory.Attempt{ID: uuid.NewString(), Hold: uuid.NewString(), Session: "s1", Sale: "gala", Units: []int{4, 5}}
	r := recorded{Units: 20, Sold: []int{0, 19}, Unpaid: []int{4, 5}, Open: []inventory.Attempt{paying}}
	s, id := build(t, rdb, r)
	check(t, s, id, r, "free 16 held 0 paying 2 sold 2 []")

	holds := hold.New(rdb)
	if err := holds.Unpay(t.Context(), id, paying.Hold, paying.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	check(t, s, id, recorded{Units: 20, Sold: []int{0, 19}}, "free 18 held 0 paying 0 sold 2 []")
}

// The second rebuild finds a world that went on since the first: a hold, a
// payment, and a sale that Postgres had not shown yet when it was read.
func TestRebuildKeepsWhatIsLive(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	r := recorded{Units: 20}
	s, id := build(t, rdb, r)
	holds := hold.New(rdb)
	units(t, rdb, id, "holds", 1, 2)
	bought := units(t, rdb, id, "bought", 7)
	if _, err := holds.Pay(t.Context(), id, bought.ID, "bought", "a1"); err != nil {
		t.Fatal(err)
	}
	if err := holds.Sell(t.Context(), id, bought.ID, "a1", bought.Units); err != nil {
		t.Fatal(err)
	}
	pays := units(t, rdb, id, "pays", 9)
	if _, err := holds.Pay(t.Context(), id, pays.ID, "pays", "a2"); err != nil {
		t.Fatal(err)
	}
	stale := recorded{Units: 20, Open: []inventory.Attempt{
		{ID: "a1", Hold: bought.ID, Session: "bought", Units: bought.Units}, // it is through by now
		{ID: "a2", Hold: pays.ID, Session: "pays", Units: pays.Units},
	}}
	if restored, err := s.Rebuild(t.Context(), id, stale); err != nil || restored != 0 {
		t.Fatalf("restored %d holds, %v; none was lost", restored, err)
	}
	check(t, s, id, recorded{Units: 20, Sold: []int{7}, Open: stale.Open[1:]}, "free 16 held 2 paying 1 sold 1 []")
}

// What places have is counted anew after a loss, from what was bought and what is
// being paid for; a rebuild of a Redis that lost nothing leaves it alone.
func TestRebuildCountsWhatPlacesHave(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	r := recorded{Units: 20, Sold: []int{0, 1, 2}, Bought: map[ropeline.PlaceID]int{"p": 2, "q": 1},
		Open: []inventory.Attempt{{ID: "a1", Hold: uuid.NewString(), Session: "s1", Place: "p", Units: []int{4, 5}}}}
	s, id := build(t, rdb, r)
	holds, most := hold.New(rdb), 6
	take := func(place ropeline.PlaceID, units ...int) (hold.Hold, error) {
		return holds.Units(t.Context(), hold.Request{ID: uuid.NewString(), Performance: id, Sale: "gala", Session: uuid.NewString(),
			SessionEnds: time.Now().Add(time.Hour), Life: time.Hour, Place: place, PerPlace: most}, units)
	}
	want := func(what string) {
		t.Helper()
		got, err := rdb.HGetAll(t.Context(), inventory.KeysOf(id).Places()).Result()
		if err != nil || fmt.Sprint(got) != what {
			t.Errorf("places have %v, %v; want %s", got, err, what)
		}
	}
	want("map[p:4 q:1]")
	if _, err := take("p", 7, 8, 9); !errors.Is(err, hold.ErrLimit) {
		t.Errorf("three more: %v, want place-limit", err)
	}
	h, err := take("p", 7, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rebuild(t.Context(), id, recorded{Units: 20}); err != nil { // read before all of it
		t.Fatal(err)
	}
	want("map[p:6 q:1]")
	if err := rdb.Del(t.Context(), inventory.KeysOf(id).Places(), inventory.KeysOf(id).For("")[0]).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	want("map[p:6 q:1]")
	if err := holds.Release(t.Context(), id, h.ID, h.Session); err != nil {
		t.Fatal(err)
	}
	want("map[p:4 q:1]")
	if _, err := s.Rebuild(t.Context(), id, recorded{Units: 20, Sold: []int{0, 1, 2}}); err != nil { // no limit any more
		t.Fatal(err)
	}
	if _, err := take("q", 10); err != nil {
		t.Error(err)
	}
	want("map[p:4 q:2]")
}

// A payment whose hold was lost gets back only what nobody else has taken.
func TestRestoredHoldNeverSharesAUnit(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	r := recorded{Units: 10}
	s, id := build(t, rdb, r)
	faster := units(t, rdb, id, "faster", 3)
	r.Open = []inventory.Attempt{{ID: "a1", Hold: uuid.NewString(), Session: "slower", Units: []int{3, 4}}}
	if restored, err := s.Rebuild(t.Context(), id, r); err != nil || restored != 1 {
		t.Fatalf("restored %d, %v", restored, err)
	}
	if err := hold.New(rdb).Unpay(t.Context(), id, r.Open[0].Hold, "a1", 0); err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), id)
	if err != nil || len(snap.Holds) != 1 || snap.Holds[0].ID != faster.ID || !snap.Taken.Has(3) || snap.Taken.Has(4) {
		t.Fatalf("after the failed payment: %+v, %v", snap, err)
	}
}

// Every way in which Redis can disagree with Postgres has its own name.
func TestCheckNamesEachMismatch(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, id ropeline.PerformanceID, r *recorded)
		want  string
	}{
		{"in order", func(*testing.T, ropeline.PerformanceID, *recorded) {}, "free 7 held 2 paying 0 sold 1 []"},
		{inventory.SoldNotMarked, func(_ *testing.T, _ ropeline.PerformanceID, r *recorded) { r.Sold = append(r.Sold, 8) },
			"free 7 held 2 paying 0 sold 1 [{sold-not-marked [8]}]"},
		{inventory.MarkedNotSold, func(_ *testing.T, _ ropeline.PerformanceID, r *recorded) { r.Sold = nil },
			"free 7 held 2 paying 0 sold 1 [{marked-not-sold [0]}]"},
		{inventory.PayingNotTaken, func(_ *testing.T, _ ropeline.PerformanceID, r *recorded) { r.Unpaid = []int{9} },
			"free 7 held 2 paying 0 sold 1 [{paying-not-taken [9]}]"},
		{inventory.TakenByNobody, func(t *testing.T, id ropeline.PerformanceID, _ *recorded) {
			bit(t, rdb, inventory.KeysOf(id).Taken(), 5, 1)
		}, "free 6 held 2 paying 0 sold 1 [{taken-by-nobody [5]}]"},
		{inventory.HeldNotTaken, func(t *testing.T, id ropeline.PerformanceID, _ *recorded) {
			bit(t, rdb, inventory.KeysOf(id).Taken(), 3, 0)
		}, "free 7 held 2 paying 0 sold 1 [{held-not-taken [3]}]"},
		{inventory.HeldTwice, func(t *testing.T, id ropeline.PerformanceID, _ *recorded) {
			bit(t, rdb, inventory.KeysOf(id).Taken(), 3, 0)
			units(t, rdb, id, "second", 3)
		}, "free 7 held 2 paying 0 sold 1 [{held-twice [3]}]"},
		{inventory.HeldAlthoughOut, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			bit(t, rdb, inventory.KeysOf(id).Sold(), 3, 1)
			r.Sold = append(r.Sold, 3)
		}, "free 7 held 1 paying 0 sold 2 [{held-although-sold [3]}]"},
		{inventory.PastTheEnd, func(t *testing.T, id ropeline.PerformanceID, _ *recorded) {
			bit(t, rdb, inventory.KeysOf(id).Taken(), 12, 1)
		}, "free 7 held 2 paying 0 sold 1 [{past-the-end [12]}]"},
		{inventory.PayingForNobody, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			for session, attempt := range map[string]string{"open": "a1", "closed": "a2"} {
				h := units(t, rdb, id, session, map[string]int{"a1": 6, "a2": 7}[attempt])
				if _, err := hold.New(rdb).Pay(t.Context(), id, h.ID, session, attempt); err != nil {
					t.Fatal(err)
				}
			}
			r.Open = []inventory.Attempt{{ID: "a1"}}
		}, "free 5 held 2 paying 2 sold 1 [{paying-for-nobody [7]}]"},
		{inventory.ReserveNotKept, func(_ *testing.T, _ ropeline.PerformanceID, r *recorded) { r.Withheld.Units = []int{5} },
			"free 7 held 2 paying 0 sold 1 [{reserve-not-kept [5]}]"},
		{inventory.KeptByNoReserve, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			keep(t, rdb, id, r, 5, 6)
			r.Withheld.Units = []int{6}
		}, "free 5 held 2 paying 0 sold 1 [{kept-by-no-reserve [5]}]"},
		{inventory.WithheldNotTaken, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			keep(t, rdb, id, r, 0, 3, 5, 6)
			bit(t, rdb, inventory.KeysOf(id).Taken(), 5, 0)
		}, "free 6 held 2 paying 0 sold 1 [{withheld-not-taken [5]}]"},
		{inventory.ListNotKept, func(_ *testing.T, _ ropeline.PerformanceID, r *recorded) { r.Listed.Units = []int{5} },
			"free 7 held 2 paying 0 sold 1 [{list-not-kept [5]}]"},
		{inventory.ListedByNobody, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			list(t, rdb, id, r, 5)
			r.Listed.Units = nil
		}, "free 7 held 2 paying 0 sold 1 [{listed-by-nobody [5]}]"},
		{inventory.PooledNotTaken, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			list(t, rdb, id, r, 3, 5)
			pool(t, rdb, id, 5)
		}, "free 6 held 2 paying 0 sold 1 [{pooled-not-taken [5]}]"},
		{inventory.PooledAndOwned, func(t *testing.T, id ropeline.PerformanceID, r *recorded) {
			list(t, rdb, id, r, 3, 5)
			pool(t, rdb, id, 3)
		}, "free 7 held 2 paying 0 sold 1 [{pooled-and-owned [3]}]"},
		{inventory.NotBuilt, func(t *testing.T, id ropeline.PerformanceID, _ *recorded) {
			if err := rdb.Del(t.Context(), inventory.KeysOf(id).For("")[0]).Err(); err != nil {
				t.Fatal(err)
			}
		}, "free 7 held 2 paying 0 sold 1 [{not-built []}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := recorded{Units: 10, Sold: []int{0}}
			s, id := build(t, rdb, r)
			units(t, rdb, id, "first", 3, 4)
			c.spoil(t, id, &r)
			check(t, s, id, r, c.want)
		})
	}
}

// starting answers with the attempt that starts at the very moment at which it
// is asked: it is not among the records yet, and its hold is paying right after.
type starting struct {
	recorded
	pay func()
}

func (s *starting) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	s.pay()
	return inventory.Recorded(s.recorded), nil
}

func TestCheckLeavesAPaymentAloneThatStartsRightNow(t *testing.T) {
	t.Parallel()
	rdb := devtest.Redis(t)
	s, id := build(t, rdb, recorded{Units: 10})
	n := 0
	report, err := s.Check(t.Context(), id, &starting{recorded{Units: 10}, func() {
		session := fmt.Sprint("s", n)
		h := units(t, rdb, id, session, n)
		if _, err := hold.New(rdb).Pay(t.Context(), id, h.ID, session, session); err != nil {
			t.Fatal(err)
		}
		n++
	}})
	if err != nil || !report.OK() {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestReportIsJSON(t *testing.T) {
	t.Parallel()
	s, id := build(t, devtest.Redis(t), recorded{Units: 4, Sold: []int{1}})
	report, err := s.Check(t.Context(), id, recorded{Units: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(report)
	want := `{"performance":"` + string(id) + `","units":4,"free":3,"held":0,"paying":0,"sold":1,"withheld":0,"pooled":0,"mismatches":[{"kind":"marked-not-sold","units":[1]}]}`
	if err != nil || string(got) != want {
		t.Errorf("report %s, want %s (%v)", got, want, err)
	}
}

// Redis is killed and comes back: the keeper notices the new process and
// rebuilds without being told. Redis is emptied: the same.
func TestKeeperRebuildsAfterARestartAndALoss(t *testing.T) {
	t.Parallel()
	server := devtest.PrivateRedis(t)
	s, id := inventory.New(server.Client), ropeline.PerformanceID(uuid.NewString())
	ctx, stop := context.WithCancel(t.Context())
	keeper := inventory.Keeper{Store: s, Records: recorded{Units: 8, Sold: []int{2}}, Log: slog.New(slog.DiscardHandler),
		Performances: func(context.Context) ([]ropeline.PerformanceID, error) { return []ropeline.PerformanceID{id}, nil },
		EndStrays:    func(context.Context, ropeline.PerformanceID) error { return nil }}
	if err := keeper.Build(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- keeper.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("keeper ended with %v", err)
		}
	})

	mark := func() string { return server.Client.Get(ctx, inventory.KeysOf(id).For("")[0]).Val() }
	before := mark()
	server.Kill()
	server.Start()
	waitFor(t, "built against the new process", func() bool { m := mark(); return m != "" && m != before })

	if err := server.Client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bitmaps(ctx, id); err != nil && !errors.Is(err, inventory.ErrNotReady) {
		t.Fatalf("an emptied Redis: %v, want inventory-not-ready or a rebuilt one", err)
	}
	waitFor(t, "built after the loss", func() bool {
		units, err := s.Bitmaps(ctx, id)
		return err == nil && units.Sold.Has(2)
	})
}

// failing has no records of one performance.
type failing struct {
	recorded
	broken ropeline.PerformanceID
}

func (f failing) Recorded(_ context.Context, id ropeline.PerformanceID) (inventory.Recorded, error) {
	if id == f.broken {
		return inventory.Recorded{}, errors.New("its map cannot be read")
	}
	return inventory.Recorded(f.recorded), nil
}

func TestOneBrokenPerformanceDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	broken, sound := ropeline.PerformanceID(uuid.NewString()), ropeline.PerformanceID(uuid.NewString())
	s := inventory.New(devtest.Redis(t))
	keeper := inventory.Keeper{Store: s, Records: failing{recorded{Units: 8}, broken}, Log: slog.New(slog.DiscardHandler),
		Performances: func(context.Context) ([]ropeline.PerformanceID, error) {
			return []ropeline.PerformanceID{broken, sound}, nil
		},
		EndStrays: func(context.Context, ropeline.PerformanceID) error { return nil }}
	if err := keeper.Build(t.Context()); err == nil {
		t.Error("nobody is told of the broken one")
	}
	if keeper.Built(broken) || !keeper.Built(sound) {
		t.Errorf("built: the broken one %v, the other %v", keeper.Built(broken), keeper.Built(sound))
	}
	check(t, s, sound, recorded{Units: 8}, "free 8 held 0 paying 0 sold 0 []")
}

func TestCountEqualsCountingOneByOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := inventory.Bitmap(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bitmap"))
		first, count := rapid.IntRange(0, 330).Draw(t, "first"), rapid.IntRange(0, 330).Draw(t, "count")
		want := 0
		for u := first; u < first+count; u++ {
			if b.Has(u) {
				want++
			}
		}
		if got := b.Count(first, count); got != want {
			t.Fatalf("Count(%d, %d) = %d, want %d", first, count, got, want)
		}
	})
}

func FuzzSplitReadsOnlyWhatJoinWrites(f *testing.F) {
	for _, s := range []string{"", "0", "3,4,5", "3,,4", "-1", "1,x", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := inventory.Split(text)
		if err != nil {
			return
		}
		for _, u := range got {
			if u < 0 {
				t.Fatalf("Split(%q) gave a unit below zero", text)
			}
		}
		again, err := inventory.Split(inventory.Join(got))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Fatalf("Split(%q) = %v, written and read again %v, %v", text, got, again, err)
		}
	})
}

// check compares a report's numbers and mismatches as one line of text.
func check(t *testing.T, s *inventory.Store, id ropeline.PerformanceID, r recorded, want string) {
	t.Helper()
	report, err := s.Check(t.Context(), id, r)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("free %d held %d paying %d sold %d %v", report.Free, report.Held, report.Paying, report.Sold, report.Mismatches)
	if got != want {
		t.Errorf("inventory: %s, want %s", got, want)
	}
}

// list begins a returns list for units, pool puts one into its pool.
func list(t *testing.T, rdb redis.UniversalClient, id ropeline.PerformanceID, r *recorded, units ...int) {
	t.Helper()
	r.Listed = inventory.Withheld{Units: units, By: "a list"}
	if _, err := inventory.New(rdb).Rebuild(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

func pool(t *testing.T, rdb redis.UniversalClient, id ropeline.PerformanceID, unit int) {
	t.Helper()
	if err := rdb.ZAdd(t.Context(), inventory.KeysOf(id).For("")[0]+":pool", redis.Z{Member: unit}).Err(); err != nil {
		t.Fatal(err)
	}
}

func bit(t *testing.T, rdb redis.UniversalClient, key string, unit int64, value int) {
	t.Helper()
	if err := rdb.SetBit(t.Context(), key, unit, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("did not come about: %s", what)
		}
	}
}
