// Package catalogue says what is for sale: events, their performances, and
// each performance's map of tiers, rows and units.
//
// The one hard idea is that a unit has no record. A performance of n units
// numbers them 0 … n-1; a tier is a contiguous run of them and so is a row, so
// "which seat is unit 1234" is arithmetic on a map of some hundred rows that
// fits in memory, and every bitmap of the inventory is indexed by the number.
//
// The map is made once from the venue's seat map (package venue), when the
// performance is made: a venue that is rebuilt later changes nothing that was sold.
//
// It does not know which units are free; package inventory does. It owns the
// tables venues, venue_maps, events, performances, tiers, seat_rows, sales,
// sale_performances, reserves, programs, plans, subscriptions, plan_periods, rooms
// and catalogue_changes.
package catalogue

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/tariff"
)

// ErrPerformanceUnknown answers a request for a performance that is not there.
var ErrPerformanceUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "performance-unknown", Detail: "There is no such performance."}

// ErrEventUnknown answers a request for an event that is not there.
var ErrEventUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "event-unknown", Detail: "There is no such event."}

// ErrUnitsUnknown answers a request for units or a tier that the performance
// does not have.
var ErrUnitsUnknown = &ropeline.Error{Kind: ropeline.Invalid, Code: "units-unknown", Detail: "This performance has no such places."}

// The kinds of tier.
const (
	Seated  = "seated"  // numbered seats in rows
	General = "general" // general admission: places without a seat
)

// Tier is a price and the contiguous run of units that cost it.
type Tier struct {
	ID    string        `json:"id"`
	Name  string        `json:"name"`
	Kind  string        `json:"kind" enum:"seated,general"`
	Price booking.Money `json:"price"`
	First int           `json:"first" doc:"number of the tier's first unit"`
	Count int           `json:"count"`
}

// Row is a run of neighbors in one row of seats: an aisle, or seats of another
// tier, part a row into several. Seat i lies at (X + i*DX, Y + i*DY), unless Places
// says where; then (DX, DY) is the way from its first to its second seat.
type Row struct {
	Section string  `json:"section"`
	Name    string  `json:"row"`
	Tier    string  `json:"tier"`
	First   int     `json:"first" doc:"number of the row's first unit"`
	Count   int     `json:"count"`
	X       float64 `json:"x"`
	Y       float64 `json:"y"`
	DX      float64 `json:"dx"`
	DY      float64 `json:"dy"`

	Seats      []string  `json:"seats,omitempty" doc:"what each seat is called; 1, 2, 3 and so on if left out"`
	Places     []float64 `json:"places,omitempty" doc:"x and y of each seat, in turns, if they are not in a straight line"`
	Accessible []int     `json:"accessible,omitempty" doc:"which seats, from 0, are places for a wheelchair"`
	Companion  []int     `json:"companion,omitempty" doc:"which are for who comes with somebody in one"`
	Restricted []int     `json:"restricted,omitempty" doc:"which have a restricted view"`

	rank int // best available takes the lowest first
}

// seat is what people call seat i.
func (r Row) seat(i int) string {
	if r.Seats != nil {
		return r.Seats[i]
	}
	return strconv.Itoa(i + 1)
}

// Map is everything static about a performance.
type Map struct {
	ID       ropeline.PerformanceID `json:"id"`
	Sale     ropeline.SaleID        `json:"sale"`
	Title    string                 `json:"title"`
	Venue    string                 `json:"venue"`
	StartsAt time.Time              `json:"starts_at"`
	Tiers    []Tier                 `json:"tiers"` // by first unit
	Rows     []Row                  `json:"rows"`  // by first unit
	Units    int                    `json:"units" doc:"how many units there are"`
	Account  string                 `json:"-"` // the name of the organizer's own, who is paid; empty: we are
	Tariff   tariff.Tariff          `json:"tariff" doc:"what of the prices is fee and tax, and the rules of canceling"`

	text []byte
	tag  string
	best map[string][]Stretch // by tier
}

// Tag changes when the map does; it is an ETag without its quotes.
func (m *Map) Tag() string { return m.tag }

// Text is the map as JSON, nil for one that was not read from a Store. Callers must not
// change it.
func (m *Map) Text() []byte { return m.text }

// Range is a contiguous run of units.
type Range struct {
	First int `json:"first"`
	Count int `json:"count"`
}

func (r Range) end() int { return r.First + r.Count }

// within are those of some ranges that lie in this one.
func (r Range) within(all []Range) (found []Range) {
	for _, a := range all {
		if a.First >= r.First && a.end() <= r.end() {
			found = append(found, a)
		}
	}
	return found
}

// Tier finds a tier by its id.
func (m *Map) Tier(id string) (Tier, bool) {
	for _, t := range m.Tiers {
		if t.ID == id {
			return t, true
		}
	}
	return Tier{}, false
}

// TierOf finds the tier of a unit.
func (m *Map) TierOf(unit int) (Tier, bool) {
	i := sort.Search(len(m.Tiers), func(i int) bool { return m.Tiers[i].First > unit }) - 1
	if i < 0 || unit >= m.Tiers[i].First+m.Tiers[i].Count {
		return Tier{}, false
	}
	return m.Tiers[i], true
}

// Has reports whether the performance has all of some units.
func (m *Map) Has(units []int) bool {
	for _, u := range units {
		if _, ok := m.TierOf(u); !ok {
			return false
		}
	}
	return true
}

// Label is what people call a unit: section-row-seat, or the tier and a number.
func (m *Map) Label(unit int) string {
	i := sort.Search(len(m.Rows), func(i int) bool { return m.Rows[i].First > unit }) - 1
	if i >= 0 && unit < m.Rows[i].First+m.Rows[i].Count {
		r := m.Rows[i]
		return r.Section + "-" + r.Name + "-" + r.seat(unit-r.First)
	}
	t, _ := m.TierOf(unit)
	return t.Name + "-" + strconv.Itoa(unit-t.First+1)
}

// Stretch is a run of seats of one row that best available may choose from.
type Stretch struct {
	Range
	// Before and After are how many seats beside it best available comes to later,
	// two at most: they may be left alone by a choice as those of the stretch.
	Before, After int
	// Restricted says that a seat of it has a restricted view.
	Restricted bool
}

// BestRows returns the stretches of a seated tier in which neighbors sit, best first.
// Places for wheelchairs and their companions are in none: whoever needs one picks
// it. Seats with a restricted view come last, beside others or alone.
func (m *Map) BestRows(tier string) []Stretch {
	if m.best == nil { // as long as it is not read from the store
		return m.bestRows(tier)
	}
	return m.best[tier]
}

// sortOut finds the best rows of each tier once: a hold every few microseconds
// asks for them.
func (m *Map) sortOut() {
	best := make(map[string][]Stretch, len(m.Tiers))
	for _, t := range m.Tiers {
		best[t.ID] = m.bestRows(t.ID)
	}
	m.best = best
}

func (m *Map) bestRows(tier string) []Stretch {
	var rows []Row
	for _, r := range m.Rows {
		if r.Tier == tier {
			rows = append(rows, r)
		}
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].rank < rows[j].rank })
	var best, last []Stretch
	for _, r := range rows {
		for _, open := range r.stretches(r.Accessible, r.Companion) {
			plain := open.within(r.stretches(r.Accessible, r.Companion, r.Restricted))
			for _, p := range plain {
				best = append(best, Stretch{Range: p, Before: min(2, p.First-open.First), After: min(2, open.end()-p.end())})
			}
			if !slices.Contains(plain, open) {
				last = append(last, Stretch{Range: open, Restricted: true})
			}
		}
	}
	return append(best, last...)
}

// stretches are the parts of a row between the seats that are left out.
func (r Row) stretches(without ...[]int) (parts []Range) {
	out := slices.Sorted(slices.Values(slices.Concat(without...)))
	begin := 0
	for _, i := range append(out, r.Count) {
		if i > begin {
			parts = append(parts, Range{First: r.First + begin, Count: i - begin})
		}
		begin = i + 1
	}
	return parts
}

// Line is one unit as it appears on a hold or a bill.
type Line struct {
	Unit  int           `json:"unit"`
	Label string        `json:"label"`
	Tier  string        `json:"tier"`
	Price booking.Money `json:"price"`
}

// Lines describes units and adds up their prices. ErrUnitsUnknown if the
// performance lacks one of them.
func (m *Map) Lines(units []int) ([]Line, booking.Money, error) {
	lines := make([]Line, 0, len(units))
	var total booking.Money
	for _, u := range units {
		t, ok := m.TierOf(u)
		if !ok {
			return nil, booking.Money{}, ErrUnitsUnknown
		}
		if total.Currency == "" {
			total.Currency = t.Price.Currency
		}
		if total.Currency != t.Price.Currency {
			return nil, booking.Money{}, fmt.Errorf("performance %s mixes currencies", m.ID)
		}
		total.Amount += t.Price.Amount
		lines = append(lines, Line{Unit: u, Label: m.Label(u), Tier: t.ID, Price: t.Price})
	}
	return lines, total, nil
}
