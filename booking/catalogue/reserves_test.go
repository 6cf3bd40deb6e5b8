package catalogue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// opera makes a performance at the opera house of the documentation: stalls 0–9,
// circle 10–12, floor 13–212.
func opera(t *testing.T, reserves ...catalogue.ReservePlan) (*catalogue.Store, ropeline.PerformanceID) {
	t.Helper()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	v, err := s.KeepVenue(t.Context(), "", operaHouse(t), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	p := program(v.ID)
	p.Performances[0].Reserves = reserves
	sale, err := s.Make(t.Context(), p, byCommand)
	if err != nil {
		t.Fatal(err)
	}
	return s, sale.Performances[0]
}

// withheld is what is not on sale, as runs of units.
func withheld(t *testing.T, s *catalogue.Store, id ropeline.PerformanceID) string {
	t.Helper()
	units, by, err := s.Withheld(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inForce, err := s.InForce(t.Context())
	if err != nil || inForce[id] != by {
		t.Errorf("in force are %q, withheld by %q (%v)", inForce[id], by, err)
	}
	var runs []string
	for i, first := 0, 0; i < len(units); i++ {
		if end := i + 1; end == len(units) || units[end] != units[i]+1 {
			runs = append(runs, fmt.Sprintf("%d-%d", units[first], units[i]))
			first = end
		}
	}
	return strings.Join(runs, " ")
}

// What a program reserves is withheld from the first moment on, until its time or
// until somebody releases it.
func TestReservesWithholdUntilTheyAreReleased(t *testing.T) {
	t.Parallel()
	soon, over := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	s, id := opera(t,
		catalogue.ReservePlan{Name: "Camera", Kind: catalogue.Blocked, Seats: []string{"Stalls-A-2", "Stalls-A-1", "Stalls-A-2"}},
		catalogue.ReservePlan{Name: "Row", Kind: catalogue.Guests, Seats: []string{"Stalls-B"}},
		catalogue.ReservePlan{Name: "First", Kind: catalogue.Batch, Area: "Floor", Places: 50, ReleaseAt: &over},
		catalogue.ReservePlan{Name: "Second", Kind: catalogue.Batch, Area: "Floor", Places: 60, ReleaseAt: &soon},
		catalogue.ReservePlan{Name: "Third", Kind: catalogue.Production, Area: "Floor", Places: 20},
	)
	// Row B of the stalls is 6–9 and, for the price of the circle, 10.
	if got := withheld(t, s, id); got != "0-1 6-10 83-162" {
		t.Errorf("withheld %s", got)
	}
	for _, name := range []string{"Row", "Second"} {
		if _, err := s.Release(t.Context(), id, name, time.Time{}, byCommand); err != nil {
			t.Fatal(err)
		}
	}
	if got := withheld(t, s, id); got != "0-1 83-102" {
		t.Errorf("withheld %s after a release", got)
	}
	if r, err := s.Reserve(t.Context(), id, catalogue.ReservePlan{Name: "More", Kind: catalogue.Guests, Area: "Floor", Places: 111}, byCommand); err != nil || r.Units() != 111 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := withheld(t, s, id); got != "0-1 82-212" {
		t.Errorf("withheld %s, want the last places that were in no reserve", got)
	}
	if _, err := s.Release(t.Context(), id, "Third", soon, byCommand); err != nil {
		t.Fatal(err)
	}
	list, err := s.Reserves(t.Context(), id)
	if err != nil || len(list) != 3 || list[2].Name != "Third" || list[2].Kind != catalogue.Production || list[2].ReleaseAt == nil ||
		!list[2].ReleaseAt.Equal(soon.Truncate(time.Microsecond)) || !slices.Equal(list[2].Ranges, []catalogue.Range{{First: 83, Count: 20}}) {
		t.Errorf("in force are %+v, %v", list, err)
	}
	for _, name := range []string{"Third", "Camera", "More"} {
		if _, err := s.Release(t.Context(), id, name, time.Now(), byCommand); err != nil {
			t.Fatal(err)
		}
	}
	if got := withheld(t, s, id); got != "" {
		t.Errorf("withheld %s at the end", got)
	}
}

// What comes on sale by itself is told apart from what waits for somebody.
func TestLaterIsWhatHasATime(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour)
	s, id := opera(t,
		catalogue.ReservePlan{Name: "Circle", Kind: catalogue.Batch, Seats: []string{"Circle-Left", "Stalls-B"}, ReleaseAt: &soon},
		catalogue.ReservePlan{Name: "Again", Kind: catalogue.Production, Seats: []string{"Stalls-B-1"}, ReleaseAt: &soon},
		catalogue.ReservePlan{Name: "Batch", Kind: catalogue.Batch, Area: "Floor", Places: 50, ReleaseAt: &soon},
		catalogue.ReservePlan{Name: "Guests", Kind: catalogue.Guests, Area: "Floor", Places: 50},
	)
	p, err := s.Performance(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	later, err := s.Later(t.Context(), id)
	var got []int64
	for _, tier := range p.Map.Tiers {
		got = append(got, later[tier.ID])
	}
	if err != nil || !slices.Equal(got, []int64{4, 3, 50}) {
		t.Errorf("later %v, %v", got, err)
	}
}

func TestWrongReservesAreRefused(t *testing.T) {
	t.Parallel()
	s, id := opera(t, catalogue.ReservePlan{Name: "All but one", Kind: catalogue.Batch, Area: "Floor", Places: 199})
	for says, plan := range map[string]catalogue.ReservePlan{
		`Reserve "": its name must have 1 to 200 bytes that can be printed.`:                        {Kind: catalogue.Guests, Seats: []string{"Stalls"}},
		`Reserve "\x00": its name must have 1 to 200 bytes that can be printed.`:                    {Name: "\x00", Kind: catalogue.Guests, Seats: []string{"Stalls"}},
		`Reserve "a": its kind must be one of blocked, guests, production, batch, boxoffice.`:       {Name: "a", Kind: "friends", Seats: []string{"Stalls"}},
		`Reserve "b": it must have seats, or an area and how many places of it.`:                    {Name: "b", Kind: catalogue.Guests},
		`Reserve "c": it must have seats, or an area and how many places of it.`:                    {Name: "c", Kind: catalogue.Guests, Seats: []string{"Stalls"}, Area: "Floor", Places: 1},
		`Reserve "d": places must be left out where there are seats.`:                               {Name: "d", Kind: catalogue.Guests, Seats: []string{"Stalls"}, Places: 1},
		`Reserve "e": there is no area "Stalls".`:                                                   {Name: "e", Kind: catalogue.Guests, Area: "Stalls", Places: 1},
		`Reserve "f": places must lie between 1 and the 1 of "Floor" that are in no other reserve.`: {Name: "f", Kind: catalogue.Guests, Area: "Floor", Places: 2},
		`Reserve "g": places must lie between 1 and the 1 of "Floor" that are in no other reserve.`: {Name: "g", Kind: catalogue.Guests, Area: "Floor", Places: -1},
		`Reserve "h": there is no seat, row or section "Floor-1".`:                                  {Name: "h", Kind: catalogue.Guests, Seats: []string{"Stalls", "Floor-1"}},
		`Reserve "i": there is no seat, row or section "'; drop table reserves; --".`:               {Name: "i", Kind: catalogue.Guests, Seats: []string{"'; drop table reserves; --"}},
		`The performance has a reserve of this name already.`:                                       {Name: "All but one", Kind: catalogue.Guests, Seats: []string{"Stalls"}},
	} {
		_, err := s.Reserve(t.Context(), id, plan, byCommand)
		if own, ok := errors.AsType[*ropeline.Error](err); !ok || own.Detail != says {
			t.Errorf("it says %v, want %s", err, says)
		}
	}
	if got := withheld(t, s, id); got != "14-212" {
		t.Errorf("withheld %s", got)
	}
	if _, err := s.Release(t.Context(), id, "nothing", time.Time{}, byCommand); !errors.Is(err, catalogue.ErrReserveUnknown) {
		t.Errorf("an unknown reserve: %v", err)
	}
	for _, other := range []ropeline.PerformanceID{"", "nonsense", ropeline.PerformanceID(uuid.NewString())} {
		if _, err := s.Reserves(t.Context(), other); !errors.Is(err, catalogue.ErrPerformanceUnknown) {
			t.Errorf("reserves of %q: %v", other, err)
		}
	}
}

// Of two that reserve places at once neither gets those of the other.
func TestReservesMadeAtOnceShareNoPlace(t *testing.T) {
	t.Parallel()
	s, id := opera(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := s.Reserve(t.Context(), id, catalogue.ReservePlan{Name: fmt.Sprint(i), Kind: catalogue.Batch, Area: "Floor", Places: 25}, byCommand); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := withheld(t, s, id); got != "13-212" {
		t.Errorf("8 times 25 places are %s, want the whole floor", got)
	}
}

// The last places are the last, whatever lies in between, and as many as are asked.
func TestLastPlacesAreTheLastFreeOnes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first, count := rapid.IntRange(0, 20).Draw(t, "first"), rapid.IntRange(1, 30).Draw(t, "count")
		n := rapid.IntRange(1, 31).Draw(t, "n")
		taken := map[int]bool{}
		var others []catalogue.Range
		for range rapid.IntRange(0, 5).Draw(t, "others") {
			o := catalogue.Range{First: rapid.IntRange(0, 55).Draw(t, "other"), Count: rapid.IntRange(1, 12).Draw(t, "of")}
			others = append(others, o)
			for u := o.First; u < o.First+o.Count; u++ {
				taken[u] = true
			}
		}
		var want []int
		free := 0
		for u := first + count - 1; u >= first; u-- {
			if !taken[u] {
				free++
				if len(want) < n {
					want = append(want, u)
				}
			}
		}
		slices.Sort(want)
		last, counted := catalogue.LastPlaces(catalogue.Tier{First: first, Count: count}, n, others)
		var got []int
		for _, r := range last {
			for u := r.First; u < r.First+r.Count; u++ {
				got = append(got, u)
			}
		}
		if counted != free {
			t.Fatalf("%d are free, want %d", counted, free)
		}
		if n > free {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Fatalf("last %d places %v, want %v", n, got, want)
		}
	})
}
