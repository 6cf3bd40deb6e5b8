package stock_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/stock"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func TestSupports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		of   stock.Measured
		want int64
	}{
		{"nothing left", stock.Measured{Return: -1}, 0},
		{"all held: whoever waits waits for what comes back", stock.Measured{Held: 500, Return: 0.5, Turnover: 0.1}, 0},
		{"nothing measured", stock.Measured{Free: 12, Return: -1}, 30},
		{"twelve seats bring in fifteen", stock.Measured{Free: 12, Basket: 2, Conversion: 0.5, Return: 0}, 15},
		{"few of them buy", stock.Measured{Free: 12, Basket: 2, Conversion: 0.2, Return: 0}, 38},
		{"next to nobody buys", stock.Measured{Free: 12, Basket: 2, Conversion: 0.001, Return: 0}, 75},
		{"what comes back soon counts", stock.Measured{Free: 12, Held: 200, Basket: 2, Conversion: 0.5, Return: 0.4, Turnover: 0.1}, 25},
		{"the last one", stock.Measured{Free: 1, Basket: 6, Conversion: 1, Return: 0}, 1},
	} {
		if got := stock.Supports(c.of); got != c.want {
			t.Errorf("%s: %d people, want %d", c.name, got, c.want)
		}
	}
}

// Whatever was measured: nobody comes in for nothing, somebody does for a unit,
// more units never bring in fewer people, and never a crowd.
func TestSupportsNeitherStarvesNorFloods(t *testing.T) {
	t.Parallel()
	odd := rapid.OneOf(rapid.Float64Range(-1, 2), rapid.Float64(), rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1)}))
	rapid.Check(t, func(t *rapid.T) {
		m := stock.Measured{Free: rapid.Int64Range(-5, 100_000).Draw(t, "free"), Held: rapid.Int64Range(-5, 100_000).Draw(t, "held"),
			Basket: odd.Draw(t, "basket"), Conversion: odd.Draw(t, "conversion"), Return: odd.Draw(t, "return"), Turnover: odd.Draw(t, "turnover")}
		n := stock.Supports(m)
		switch most := 1 + 12.5*float64(max(0, m.Free)+max(0, m.Held)); {
		case m.Free <= 0 && n != 0:
			t.Fatalf("%d people for %d free units", n, m.Free)
		case m.Free > 0 && n < 1:
			t.Fatalf("%d people for %d free units: they stay unsold", n, m.Free)
		case float64(n) > most:
			t.Fatalf("%d people for %d free and %d held units", n, m.Free, m.Held)
		}
		m.Free++
		if more := stock.Supports(m); more < n {
			t.Fatalf("%d people for %d free units, %d for one less", more, m.Free, n)
		}
	})
}

// line hears of the stock as the waiting room would.
type line struct {
	sale ropeline.SaleID
	told chan counted

	asked chan struct{} // gets one for each question

	mu         sync.Mutex
	conversion float64
	age        time.Duration
}

type counted struct {
	ropeline.Stock
	baskets, supports int64
}

func (l *line) Sales(context.Context) ([]ropeline.SaleID, error) {
	return []ropeline.SaleID{"unknown", l.sale}, nil
}

func (l *line) Conversion(context.Context, ropeline.SaleID) (float64, time.Duration, error) {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conversion, l.age, nil
}

func (l *line) SetStock(ctx context.Context, sale ropeline.SaleID, s ropeline.Stock, baskets, supports int64) error {
	if sale != l.sale {
		return errors.New("the stock of another sale")
	}
	select {
	case l.told <- counted{s, baskets, supports}:
	case <-ctx.Done():
	}
	return nil
}

// rig is a sale of 8 seats and 30 places whose stock is counted.
type rig struct {
	*testing.T
	line    *line
	counter *stock.Counter
	holds   *hold.Store
	show    *catalogue.Map
}

// start builds the inventory and counts with such an interval until the test ends.
func start(t *testing.T, every time.Duration, age time.Duration) *rig {
	t.Helper()
	rdb, shows := devtest.Redis(t), catalogue.New(devtest.Postgres(t), time.Now)
	opens := time.Now().UTC()
	sale, err := shows.Seed(t.Context(), catalogue.Plan{
		Sale: ropeline.Sale{
			ID: ropeline.SaleID("s-" + uuid.NewString()), Version: 1, Title: "Gala",
			LobbyClosesAt: opens.Add(-time.Second), OpensAt: opens, EndsAt: opens.Add(time.Hour), Cap: 10, Rate: 60,
			ClaimWindow: 60, TokenLife: 60, SessionMax: 1800, Hold: 600, UnitsPerHold: 40,
		},
		Venue: "Opera", StartsAt: opens.Add(time.Hour), Seats: 8, General: 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := shows.Performance(t.Context(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	units := inventory.New(rdb)
	if _, err := units.Rebuild(t.Context(), p.Map.ID, nothing{p.Map.Units}); err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, line: &line{sale: sale.ID, told: make(chan counted), asked: make(chan struct{}, 1), age: age}, holds: hold.New(rdb), show: p.Map}
	r.counter = stock.NewCounter(stock.Config{Line: r.line, Catalogue: shows, Inventory: units, Every: every, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.counter.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the counter ended with %v", err)
		}
	})
	return r
}

type nothing struct{ units int }

func (n nothing) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: n.units}, nil
}

// next waits for the next count.
func (r *rig) next() counted {
	r.Helper()
	select {
	case c := <-r.line.told:
		return c
	case <-time.After(20 * time.Second):
		r.Fatal("nothing was counted")
	}
	return counted{}
}

// take holds n of the places without a seat.
func (r *rig) take(n int) (hold.Hold, error) {
	r.Helper()
	of := r.show.Tiers[len(r.show.Tiers)-1]
	return r.holds.Any(r.Context(), hold.Request{ID: uuid.NewString(), Performance: r.show.ID, Sale: r.show.Sale, Session: uuid.NewString(),
		SessionEnds: time.Now().Add(time.Hour), Life: time.Minute}, n, catalogue.Range{First: of.First, Count: of.Count})
}

// The rounds of this counter are an hour apart: what is heard of a tier that sells
// out is heard at once, and not for as long as there is plenty.
func TestATierThatSellsOutIsToldAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, time.Hour, -1)
	first := r.next()
	if first.Free() != 38 || first.Held() != 0 || first.supports != 95 || len(first.Tiers) != len(r.show.Tiers) {
		t.Fatalf("at first %+v", first)
	}
	h, err := r.take(29)
	if err != nil {
		t.Fatal(err)
	}
	r.counter.Stir(r.show.Sale, false)
	if c := r.next(); c.Free() != 9 || c.Held() != 29 || c.baskets != 1 || c.Basket != 0 {
		t.Fatalf("after a hold %+v", c)
	}
	if _, err := r.take(1); err != nil {
		t.Fatal(err)
	}
	r.counter.Stir(r.show.Sale, false)
	last := r.next()
	if floor := last.Tiers[len(last.Tiers)-1]; floor.Free != 0 || floor.Held != 30 || floor.Units != 30 || last.baskets != 2 {
		t.Fatalf("after the last hold %+v", last)
	}
	if last.At.Before(first.At) || last.At.IsZero() {
		t.Errorf("counted at %v, after %v", last.At, first.At)
	}
	if err := r.holds.Sell(t.Context(), r.show.ID, h.ID, "attempt", h.Units); err != nil {
		t.Fatal(err)
	}
	// Whoever is refused makes it count, too: of a tier that went within a second.
	if _, err := r.take(1); !errors.Is(err, hold.ErrSoldOut) {
		t.Fatal(err)
	}
	r.counter.Stir(r.show.Sale, true)
	if c := r.next(); c.Tiers[len(c.Tiers)-1].Sold != 29 {
		t.Fatalf("after a sale %+v", c)
	}
}

// withholding has a reserve.
type withholding struct {
	nothing
	units []int
}

func (w withholding) Recorded(context.Context, ropeline.PerformanceID) (inventory.Recorded, error) {
	return inventory.Recorded{Units: w.nothing.units, Withheld: inventory.Withheld{Units: w.units, By: "a reserve"}}, nil
}

// What is not for sale is neither free nor held: nobody is to wait for it.
func TestWhatIsReservedIsNeitherFreeNorHeld(t *testing.T) {
	t.Parallel()
	r := start(t, time.Millisecond, -1)
	if _, err := r.take(2); err != nil {
		t.Fatal(err)
	}
	floor := r.show.Tiers[len(r.show.Tiers)-1]
	records := withholding{nothing{r.show.Units}, []int{floor.First, floor.First + floor.Count - 1}} // the first is held
	if _, err := r.counter.Inventory.Rebuild(t.Context(), r.show.ID, records); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		c := r.next()
		got := c.Tiers[len(c.Tiers)-1]
		if got.Free == 27 && got.Held == 1 && got.Sold == 0 && got.Units == 30 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("counted %+v", got)
		}
	}
}

// Of seats it is told how many are left side by side, once half of them are taken.
func TestTheSeatsSideBySideAreCounted(t *testing.T) {
	t.Parallel()
	r := start(t, time.Millisecond, -1)
	seated := r.show.Tiers[0] // one row of four
	take := func(seat int) hold.Hold {
		t.Helper()
		h, err := r.holds.Units(t.Context(), hold.Request{ID: uuid.NewString(), Performance: r.show.ID, Sale: r.show.Sale, Session: uuid.NewString(),
			SessionEnds: time.Now().Add(time.Hour), Life: time.Minute}, []int{seated.First + seat})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	await := func(free, together int64) {
		t.Helper()
		var c counted
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			if c = r.next(); c.Tiers[0].Free == free && c.Tiers[0].Together == together && c.Tiers[len(c.Tiers)-1].Together == 0 {
				return
			}
		}
		t.Fatalf("counted %+v, want %d free, %d of them side by side", c.Tiers, free, together)
	}
	await(4, 0)
	second := take(1)
	await(3, 0)
	take(3)
	await(2, 1) // the first and the third
	if err := r.holds.Release(t.Context(), r.show.ID, second.ID, second.Session); err != nil {
		t.Fatal(err)
	}
	take(0)
	await(2, 2) // the second and the third
	take(1)
	await(1, 1)
	take(2)
	await(0, 0)
}

// Several cores count in turns: what one has just counted is good for the others.
func TestCoresLeaveTheCountToEachOther(t *testing.T) {
	t.Parallel()
	r := start(t, 5*time.Millisecond, time.Millisecond)
	for range 5 {
		select {
		case c := <-r.line.told:
			t.Fatalf("counted though another core just did: %+v", c)
		case <-r.line.asked:
		}
	}
	r.line.mu.Lock()
	r.line.age = time.Second
	r.line.mu.Unlock()
	r.next()
}

// Basket and conversion are what was seen in this sale, once there is enough of
// it.
func TestTheBasketIsMeasured(t *testing.T) {
	t.Parallel()
	r := start(t, time.Millisecond, -1)
	if c := r.next(); c.Basket != 0 {
		t.Fatalf("a basket of %v is known before anybody bought", c.Basket)
	}
	r.line.mu.Lock()
	r.line.conversion = 0.123456
	r.line.mu.Unlock()
	for i := range 22 {
		n := 1
		if i == 0 {
			n = 6
		}
		h, err := r.take(n)
		if err != nil {
			t.Fatal(err)
		}
		if i == 21 {
			err = r.holds.Release(t.Context(), r.show.ID, h.ID, h.Session)
		} else if _, err = r.holds.Pay(t.Context(), r.show.ID, h.ID, h.Session, "a"); err == nil {
			err = errors.Join(r.holds.Sell(t.Context(), r.show.ID, h.ID, "a", h.Units),
				r.holds.Sell(t.Context(), r.show.ID, h.ID, "a", h.Units)) // said twice, counted once
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		c := r.next()
		if c.Basket == 1.24 && c.Conversion == 0.12 && c.Free() == 12 { // 26 units in 21 holds
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("counted %+v", c)
		}
	}
}
