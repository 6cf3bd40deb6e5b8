package catalogue_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/venue"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
)

// byCommand is whoever works on the machine.
var byCommand = audit.Change{Who: audit.Command, Blind: true}

func operaHouse(t *testing.T) venue.Map {
	t.Helper()
	text, err := os.ReadFile("../../docs/venue.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := venue.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// program is a sale of one performance at a venue.
func program(id string) catalogue.Program {
	p := plan(0, 0)
	return catalogue.Program{Sale: p.Sale, Event: "An Opera", Currency: "EUR", Performances: []catalogue.Showing{
		{Venue: id, StartsAt: p.StartsAt, Prices: map[string]int64{"Stalls": 7500, "Circle": 5500, "Floor": 4500}}}}
}

// A performance is its venue's map, with numbers and prices.
func TestAPerformanceIsMadeFromItsVenue(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	v, err := s.KeepVenue(t.Context(), "", operaHouse(t), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	sale, err := s.Make(t.Context(), program(v.ID), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Performance(t.Context(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	m := p.Map
	if m.Title != "An Opera" || m.Venue != "Opera House" || m.Units != 213 || m.Sale != sale.ID {
		t.Errorf("it is %+v", m)
	}
	var labels []string
	for u := range 13 {
		labels = append(labels, m.Label(u))
	}
	if got := strings.Join(append(labels, m.Label(13), m.Label(212)), " "); got !=
		"Stalls-A-1 Stalls-A-2 Stalls-A-3 Stalls-A-4 Stalls-A-5 Stalls-A-6 Stalls-B-1 Stalls-B-2 Stalls-B-3 Stalls-B-4 "+
			"Stalls-B-5 Circle-Left-AA-101 Circle-Left-AA-103 Floor-1 Floor-200" {
		t.Errorf("its units are %s", got)
	}
	rows := slices.Clone(m.Rows)
	for i := range rows {
		rows[i].Tier = map[string]string{m.Tiers[0].ID: "Stalls", m.Tiers[1].ID: "Circle", m.Tiers[2].ID: "Floor"}[rows[i].Tier]
	}
	none, low, high := []int{}, 1.2, 1.3
	want := []catalogue.Row{
		{Section: "Stalls", Name: "A", Tier: "Stalls", First: 0, Count: 4, DX: 1, Accessible: []int{0}, Companion: []int{1}, Restricted: none},
		{Section: "Stalls", Name: "A", Tier: "Stalls", First: 4, Count: 2, X: 5, DX: 1, Seats: []string{"5", "6"}, Accessible: none, Companion: none, Restricted: none},
		{Section: "Stalls", Name: "B", Tier: "Stalls", First: 6, Count: 4, X: 0.5, Y: 1.2, DX: 1, DY: high - low, Places: []float64{0.5, 1.2, 1.5, 1.3, 2.5, 1.3, 3.5, 1.2}, Accessible: none, Companion: none, Restricted: none},
		{Section: "Stalls", Name: "B", Tier: "Circle", First: 10, Count: 1, X: 5.5, Y: 1.1, Seats: []string{"5"}, Accessible: none, Companion: none, Restricted: []int{0}},
		{Section: "Circle-Left", Name: "AA", Tier: "Circle", First: 11, Count: 2, X: -2, Y: 6, DX: 1, DY: 0.5, Seats: []string{"101", "103"}, Accessible: none, Companion: none, Restricted: none},
	}
	for i, r := range rows {
		if i >= len(want) || !sameRow(r, want[i]) {
			t.Errorf("row %d is %+v", i, r)
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows, want %d", len(rows), len(want))
	}
	for i, prices := range []int64{7500, 5500, 4500} {
		if m.Tiers[i].Price.Amount != prices {
			t.Errorf("tier %+v, want it for %d", m.Tiers[i], prices)
		}
	}
}

// sameRow compares what is to be seen of a row.
func sameRow(a, b catalogue.Row) bool {
	see := func(r catalogue.Row) []any {
		return []any{r.Section, r.Name, r.Tier, r.First, r.Count, r.X, r.Y, r.DX, r.DY, r.Seats, r.Places, r.Accessible, r.Companion, r.Restricted}
	}
	return reflect.DeepEqual(see(a), see(b))
}

// Best available leaves places for wheelchairs and their companions alone, goes by
// rank, never over an aisle, and comes to seats with a restricted view last.
func TestBestRowsLeaveOutWhatIsForOthers(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	m := venue.Map{Format: venue.Format, Name: "Hall", Categories: []string{"A"}, Sections: []venue.Section{{Name: "S", Category: "A", Rows: []venue.Row{
		{Name: "far", Rank: 2, Seats: line(1, 5)}, {Name: "near", Rank: -1, Seats: line(2, 8)}, {Name: "next", Seats: line(3, 3)}}}}}
	near := m.Sections[0].Rows[1].Seats
	near[0].Accessible, near[1].Companion, near[4].Restricted, near[5].Restricted = true, true, true, true
	m.Sections[0].Rows[2].Seats[2].Aisle = true
	v, err := s.KeepVenue(t.Context(), "", m, byCommand)
	if err != nil {
		t.Fatal(err)
	}
	p := program(v.ID)
	p.Performances[0].Prices = map[string]int64{"A": 100}
	sale, err := s.Make(t.Context(), p, byCommand)
	if err != nil {
		t.Fatal(err)
	}
	show, err := s.Performance(t.Context(), sale.Performances[0])
	if err != nil {
		t.Fatal(err)
	}
	// Units: far 0–4, near 5–12 (5 and 6 are kept, 9 and 10 see little), next 13–14 and 15.
	of := func(first, count int) catalogue.Range { return catalogue.Range{First: first, Count: count} }
	want := []catalogue.Stretch{{Range: of(7, 2), After: 2}, {Range: of(11, 2), Before: 2}, {Range: of(13, 2)}, {Range: of(15, 1)}, {Range: of(0, 5)},
		{Range: of(7, 6), Restricted: true}}
	if got := show.Map.BestRows(show.Map.Tiers[0].ID); !slices.Equal(got, want) {
		t.Errorf("best rows %v, want %v", got, want)
	}
}

// Every seat can be had by best available but those that are for others, each first
// without and then, if its row has seats with a restricted view, with those; never
// from one row into the next.
func TestBestRowsHaveEverySeatThatIsForAnybody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := catalogue.Map{}
		marks, rowOf := map[int]string{}, map[int]int{}
		for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
			r := catalogue.Row{Tier: "t", First: m.Units, Count: rapid.IntRange(1, 9).Draw(t, "seats")}
			for j := range r.Count {
				rowOf[r.First+j] = i
				mark := rapid.SampledFrom([]string{"", "", "", "accessible", "companion", "restricted"}).Draw(t, "mark")
				switch mark {
				case "accessible":
					r.Accessible = append(r.Accessible, j)
				case "companion":
					r.Companion = append(r.Companion, j)
				case "restricted":
					r.Restricted = append(r.Restricted, j)
				}
				marks[r.First+j] = mark
			}
			m.Rows, m.Units = append(m.Rows, r), m.Units+r.Count
		}
		first, all := map[int]int{}, map[int]bool{}
		plainly := true // nothing restricted came yet
		for _, run := range m.BestRows("t") {
			if run.Count < 1 {
				t.Fatalf("an empty run %+v", run)
			}
			for u := run.First; u < run.First+run.Count; u++ {
				if rowOf[u] != rowOf[run.First] || marks[u] == "accessible" || marks[u] == "companion" {
					t.Fatalf("run %+v has unit %d (%s) of row %d", run, u, marks[u], rowOf[u])
				}
				plainly = plainly && marks[u] == ""
				all[u] = true
			}
			for u := run.First; u < run.First+run.Count && plainly; u++ {
				first[u]++
			}
		}
		for u := range m.Units {
			forAnybody := marks[u] == "" || marks[u] == "restricted"
			if all[u] != forAnybody || marks[u] == "" && first[u] < 1 {
				t.Fatalf("unit %d (%s): offered %v, %d times without a restricted one", u, marks[u], all[u], first[u])
			}
		}
	})
}

// line is a row of seats side by side.
func line(y, n int) (seats []venue.Seat) {
	for i := range n {
		seats = append(seats, venue.Seat{Name: string(rune('a' + i)), X: float64(i), Y: float64(y)})
	}
	return seats
}

// A venue that is rebuilt is another version; what was made from the first stays.
func TestARebuiltVenueIsAnotherVersion(t *testing.T) {
	t.Parallel()
	s := catalogue.New(devtest.Postgres(t), time.Now)
	m := operaHouse(t)
	first, err := s.KeepVenue(t.Context(), "", m, byCommand)
	if err != nil || !first.Fresh || first.Version != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	old, err := s.Make(t.Context(), program(first.ID), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.KeepVenue(t.Context(), first.ID, m, byCommand); err != nil || again.Fresh || again.Version != 1 {
		t.Errorf("the same again is %+v, %v", again, err)
	}
	m.Name, m.Areas[0].Places = "New Opera House", 300
	var wg sync.WaitGroup
	for range 3 { // at once
		wg.Go(func() {
			if v, err := s.KeepVenue(t.Context(), first.ID, m, byCommand); err != nil || v.Version != 2 {
				t.Errorf("rebuilt it is %+v, %v", v, err)
			}
		})
	}
	wg.Wait()
	newest, err := s.Venue(t.Context(), first.ID, 0)
	if err != nil || newest.Version != 2 || !reflect.DeepEqual(newest.Map, m) {
		t.Errorf("the newest is %+v, %v", newest, err)
	}
	if v, err := s.Venue(t.Context(), first.ID, 1); err != nil || !reflect.DeepEqual(v.Map, operaHouse(t)) {
		t.Errorf("the first is %+v, %v", v, err)
	}
	fresh, err := s.Make(t.Context(), program(first.ID), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	for sale, units := range map[ropeline.PerformanceID]int{old.Performances[0]: 213, fresh.Performances[0]: 313} {
		if p, err := s.Performance(t.Context(), sale); err != nil || p.Map.Units != units {
			t.Errorf("%d units, want %d (%v)", p.Map.Units, units, err)
		}
	}
	venues, _, err := s.Venues(t.Context(), booking.Page{})
	if err != nil || len(venues) != 1 || venues[0] != (catalogue.VenueLine{ID: first.ID, Name: "New Opera House", Version: 2, Shows: 2}) {
		t.Errorf("venues %+v, %v", venues, err)
	}
}

// endOfTime is one that JSON can say in its own zone only.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*3600))

// What cannot be made is refused in words, and nothing of it is left.
func TestAWrongProgramMakesNothing(t *testing.T) {
	t.Parallel()
	db := devtest.Postgres(t)
	s := catalogue.New(db, time.Now)
	v, err := s.KeepVenue(t.Context(), "", operaHouse(t), byCommand)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `update venues set time_zone = 'Europe/Lisbon'`); err != nil {
		t.Fatal(err)
	}
	for says, spoil := range map[string]func(p *catalogue.Program, show *catalogue.Showing){
		`Category "Floor" of Opera House has no price.`:                              func(_ *catalogue.Program, show *catalogue.Showing) { delete(show.Prices, "Floor") },
		`Opera House has no category "Box".`:                                         func(_ *catalogue.Program, show *catalogue.Showing) { show.Prices["Box"] = 1 },
		`Performance 2: the price of "Floor" must lie between 0 and 1000000000000.`:  func(_ *catalogue.Program, show *catalogue.Showing) { show.Prices["Floor"] = catalogue.MaxAmount + 1 },
		`Performance 2: the price of "Circle" must lie between 0 and 1000000000000.`: func(_ *catalogue.Program, show *catalogue.Showing) { show.Prices["Circle"] = -1 },
		`Performance 2: starts_at is missing.`:                                       func(_ *catalogue.Program, show *catalogue.Showing) { show.StartsAt = time.Time{} },
		`There is no such venue, or no such version of its seat map.`:                func(_ *catalogue.Program, show *catalogue.Showing) { show.Venue = uuid.NewString() },
		`There is no such venue`:                                                     func(_ *catalogue.Program, show *catalogue.Showing) { show.Venue = "'; drop table venues; --" },
		`no such version of its seat map.`:                                           func(_ *catalogue.Program, show *catalogue.Showing) { show.Version = 2 },
		`Performance 2: its doors open after it has started.`:                        func(_ *catalogue.Program, show *catalogue.Showing) { show.DoorsAt = show.StartsAt.Add(time.Second) },
		`Performance 2: it must end after it starts, and within 7 days.`:             func(_ *catalogue.Program, show *catalogue.Showing) { show.EndsAt = show.StartsAt },
		`Performance 2: ends_at must lie between the years`: func(_ *catalogue.Program, show *catalogue.Showing) {
			show.EndsAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		},
		`Performance 2: its times are told twice`: func(_ *catalogue.Program, show *catalogue.Showing) { show.Local.StartsAt = "2027-03-27T20:00" },
		`The clocks of Europe/Lisbon never show 2027-03-28T01:30: they go forward over it that day.`: func(_ *catalogue.Program, show *catalogue.Showing) {
			show.StartsAt, show.Local.StartsAt = time.Time{}, "2027-03-28T01:30"
		},
		`A time by the clocks of a place is written as`: func(_ *catalogue.Program, show *catalogue.Showing) {
			show.StartsAt, show.Local.StartsAt = time.Time{}, "20:00"
		},
		`Performance 2: it must end after it starts`: func(_ *catalogue.Program, show *catalogue.Showing) {
			show.StartsAt, show.Local = time.Time{}, catalogue.LocalTimes{StartsAt: "2027-03-28T00:30", EndsAt: "2027-03-28T00:30"}
		},
		`Performance 2: starts_at is missing`: func(_ *catalogue.Program, show *catalogue.Showing) {
			show.StartsAt, show.Local = time.Time{}, catalogue.LocalTimes{EndsAt: "2027-03-28T00:30"}
		},
		`event_id must be the id of an event`:                                    func(p *catalogue.Program, _ *catalogue.Showing) { p.Event, p.EventID = "", "'; drop table events; --" },
		`whose title is not told here.`:                                          func(p *catalogue.Program, _ *catalogue.Showing) { p.Event, p.EventID = "A", uuid.NewString() },
		`There is no such event.`:                                                func(p *catalogue.Program, _ *catalogue.Showing) { p.Event, p.EventID = "", uuid.NewString() },
		`currency must be three capital letters, as EUR.`:                        func(p *catalogue.Program, _ *catalogue.Showing) { p.Currency = "eur" },
		`There are 0 performances, want 1 to 1000.`:                              func(p *catalogue.Program, _ *catalogue.Showing) { p.Performances = nil },
		`sale: performances must be left out, they are made.`:                    func(p *catalogue.Program, _ *catalogue.Showing) { p.Sale.Performances = []ropeline.PerformanceID{"x"} },
		`event and title must have 200 characters at most, that can be printed.`: func(p *catalogue.Program, _ *catalogue.Showing) { p.Event = "A\x00B" },
		`event and title must have 200 characters`:                               func(p *catalogue.Program, _ *catalogue.Showing) { p.Sale.Title = strings.Repeat("é", 201) },
		// In UTC that is the year 10000, which JSON has not: the store was said to be away.
		`Performance 2: starts_at must lie between the years 2000 and 2200.`: func(_ *catalogue.Program, show *catalogue.Showing) { show.StartsAt = endOfTime },
		`ends_at must lie between the years 2000 and 2200.`:                  func(p *catalogue.Program, _ *catalogue.Showing) { p.Sale.EndsAt = endOfTime },
		`lobby_closes_at must lie between the years 2000 and 2200.`: func(p *catalogue.Program, _ *catalogue.Showing) {
			p.Sale.LobbyClosesAt = time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 12*3600))
		},
		`cap must lie between 0 and`: func(p *catalogue.Program, _ *catalogue.Showing) { p.Sale.Cap = -1 },
	} {
		p := program(v.ID)
		p.Performances = append(p.Performances, program(v.ID).Performances...)
		spoil(&p, &p.Performances[1])
		_, err := s.Make(t.Context(), p, byCommand)
		if own, ok := errors.AsType[*ropeline.Error](err); !ok || !strings.Contains(own.Detail, says) {
			t.Errorf("it says %v, want %s", err, says)
		}
	}
	var events int
	if err := db.QueryRow(t.Context(), `select count(*) from events`).Scan(&events); err != nil || events != 0 {
		t.Errorf("there are %d events, %v", events, err)
	}
}

func TestProgramsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		``:                               `It cannot be read: EOF.`,
		`{"price":3}`:                    `unknown field "price"`,
		`{"sale":{"capp":3}}`:            `unknown field "capp"`,
		`{"performances":[{"venue":3}]}`: `cannot unmarshal number`,

		`{"performances":[{"prices":{"Stalls":7500,"Floor":null}}]}`:  `the price of "Floor" is null`, // and not for nothing
		`{"performances":[{"prices":{"Floor":4.5}}]}`:                 `cannot unmarshal number 4.5`,
		`{"performances":[{"prices":{"Floor":9223372036854775808}}]}`: `cannot unmarshal number 9223372036854775808`,
	} {
		_, err := catalogue.ParseProgram([]byte(text))
		if own, ok := errors.AsType[*ropeline.Error](err); !ok || !strings.Contains(own.Detail, says) {
			t.Errorf("%s: it says %v, want %s", text, err, says)
		}
	}
}
