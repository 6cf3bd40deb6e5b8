package catalogue_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func plan(seats, general int) catalogue.Plan {
	opens := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	return catalogue.Plan{
		Sale: ropeline.Sale{
			ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "An Evening",
			LobbyClosesAt: opens.Add(-5 * time.Second), OpensAt: opens, EndsAt: opens.Add(24 * time.Hour),
			Cap: 100, Rate: 600, ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, HoldExtensions: 1, UnitsPerHold: 6,
		},
		Venue: "Opera House", StartsAt: opens.Add(30 * 24 * time.Hour), Seats: seats, General: general,
	}
}

// Every unit has exactly one tier and one label, and rows and tiers are
// contiguous runs that cover 0 … n-1 without gaps, whatever the size.
func TestSeededMapCoversEveryUnitOnce(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	for _, size := range [][2]int{{2000, 500}, {1, 0}, {0, 1}, {7, 3}, {20000, 0}} {
		s := catalogue.New(db, time.Now)
		want := plan(size[0], size[1])
		sale, err := s.Seed(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Performance(t.Context(), sale.Performances[0])
		if err != nil {
			t.Fatal(err)
		}
		if p.Sale.ID != want.Sale.ID || p.Map.Units != size[0]+size[1] || !p.Map.StartsAt.Equal(want.StartsAt) {
			t.Fatalf("read %+v, want what was seeded", p.Map)
		}
		next := 0
		for _, tier := range p.Map.Tiers {
			if tier.First != next {
				t.Fatalf("tier %s starts at %d, want %d", tier.Name, tier.First, next)
			}
			next += tier.Count
		}
		seat := 0
		for _, r := range p.Map.Rows {
			if r.First != seat {
				t.Fatalf("row %s %s starts at %d, want %d", r.Section, r.Name, r.First, seat)
			}
			seat += r.Count
		}
		if next != p.Map.Units || seat != size[0] {
			t.Fatalf("tiers cover %d, rows %d of %v", next, seat, size)
		}
		labels := map[string]bool{}
		for u := range p.Map.Units {
			labels[p.Map.Label(u)] = true
		}
		if len(labels) != p.Map.Units {
			t.Fatalf("%d labels for %d units", len(labels), p.Map.Units)
		}
	}
}

func TestLinesPriceUnitsAndRefuseUnknownOnes(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	sale, err := s.Seed(t.Context(), plan(200, 50))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Performance(t.Context(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	if !p.Map.Has([]int{0, 249}) {
		t.Error("the performance lacks its first unit, or its last")
	}
	lines, total, err := p.Map.Lines([]int{0, 249})
	if err != nil || total.Amount != 7500+4500 || total.Currency != "EUR" {
		t.Fatalf("lines %v, total %v, %v", lines, total, err)
	}
	if lines[0].Label != "Stalls Left-A-1" || lines[1].Label != "Standing-50" {
		t.Errorf("labels %q and %q", lines[0].Label, lines[1].Label)
	}
	for _, u := range []int{-1, 250, 1 << 40} {
		if p.Map.Has([]int{0, u}) {
			t.Errorf("the performance has unit %d", u)
		}
		if _, _, err := p.Map.Lines([]int{u}); !errors.Is(err, catalogue.ErrUnitsUnknown) {
			t.Errorf("unit %d: %v, want units-unknown", u, err)
		}
	}
	best := p.Map.BestRows(p.Map.Tiers[0].ID)
	if first := p.Map.Label(best[0].First); !strings.HasPrefix(first, "Stalls Center-A-") {
		t.Errorf("best row begins at %s, want the center of row A", first)
	}
}

func TestUnknownPerformancesAndSales(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	for _, id := range []string{"", "nonsense", uuid.NewString(), strings.ToUpper(uuid.NewString()), "'; drop table venues; --"} {
		if _, err := s.Performance(t.Context(), ropeline.PerformanceID(id)); !errors.Is(err, catalogue.ErrPerformanceUnknown) {
			t.Errorf("performance %q: %v", id, err)
		}
	}
	if _, err := s.Sale(t.Context(), "nobody-sells-this"); !errors.Is(err, ropeline.ErrSaleUnknown) {
		t.Errorf("unknown sale: %v", err)
	}
}

func TestASaleHasItsPerformances(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	sale, err := s.Seed(t.Context(), plan(10, 0))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := s.OnSale(t.Context(), sale.ID)
	if err != nil || !slices.Equal(ids, sale.Performances) {
		t.Errorf("on sale %v, %v", ids, err)
	}
	read, err := s.Sale(t.Context(), sale.ID)
	if err != nil || !slices.Equal(read.Performances, sale.Performances) {
		t.Errorf("sale %+v, %v", read, err)
	}
}

// A cached performance is read again after a minute, so that a corrected
// price shows.
func TestMapIsFreshAfterAMinute(t *testing.T) {
	t.Parallel()
	db, now := devtest.Postgres(t), time.Now()
	s := catalogue.New(db, func() time.Time { return now })
	sale, err := s.Seed(t.Context(), plan(10, 0))
	if err != nil {
		t.Fatal(err)
	}
	price := func() (int64, string) {
		p, err := s.Performance(t.Context(), sale.Performances[0])
		if err != nil {
			t.Fatal(err)
		}
		return p.Map.Tiers[0].Price.Amount, p.Map.Tag()
	}
	before, tag := price()
	if _, err := db.Exec(t.Context(), `update tiers set amount = amount + 1`); err != nil {
		t.Fatal(err)
	}
	if got, same := price(); got != before || same != tag {
		t.Fatalf("price %d at once, want the cached %d", got, before)
	}
	now = now.Add(61 * time.Second)
	if got, other := price(); got != before+1 || other == tag {
		t.Fatalf("price %d and tag %s after a minute, want %d and another tag", got, other, before+1)
	}
}

// The minute is over for many at once: one of them reads, the others wait for
// it. Somebody who stops waiting takes nothing from the others.
func TestOneReaderFetchesForAll(t *testing.T) {
	t.Parallel()
	var acquired atomic.Int32
	cfg := devtest.Postgres(t).Config()
	cfg.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { acquired.Add(1); return true, nil }
	db, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s := catalogue.New(db, time.Now)
	sale, err := s.Seed(t.Context(), plan(200, 50))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), `lock table performances`); err != nil {
		t.Fatal(err)
	}
	acquired.Store(0)
	impatient, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ask := func(ctx context.Context) {
		wg.Go(func() {
			if p, err := s.Performance(ctx, sale.Performances[0]); err != nil || p.Map.Units != 250 {
				t.Errorf("performance %+v, %v", p.Map, err)
			}
		})
	}
	ask(impatient)
	for acquired.Load() == 0 { // the first is at the lock
		runtime.Gosched()
	}
	for range 50 {
		ask(t.Context())
	}
	leave()
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := acquired.Load(); n != 3 { // performance, tiers, rows
		t.Errorf("%d readings for 51 readers, want the 3 of one", n)
	}
}

// Postgres is away when the minute is over: what was read before goes on, and
// is not asked for again with every request. What was never read is an error.
func TestCacheOutlivesPostgresBeingAway(t *testing.T) {
	t.Parallel()
	db, now := devtest.Postgres(t), time.Now()
	s := catalogue.New(db, func() time.Time { return now })
	sale, err := s.Seed(t.Context(), plan(10, 0))
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		p, err := s.Performance(t.Context(), sale.Performances[0])
		if err == nil && p.Map.Units != 10 {
			t.Errorf("performance %+v", p.Map)
		}
		ids, err2 := s.OnSale(t.Context(), sale.ID)
		if err2 == nil && !slices.Equal(ids, sale.Performances) {
			t.Errorf("on sale %v", ids)
		}
		return errors.Join(err, err2)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for range 3 {
		now = now.Add(61 * time.Second)
		if err := ask(); err != nil {
			t.Fatalf("while Postgres is away: %v", err)
		}
	}
	if _, err := s.OnSale(t.Context(), "never-read"); !errors.Is(err, ropeline.ErrStoreAway) {
		t.Errorf("a sale that was never read: %v, want store-away", err)
	}
}
