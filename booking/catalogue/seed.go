package catalogue

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/venue"
)

// Plan describes performances to make, a day apart: a theater of numbered seats and a
// general-admission floor. Zero leaves a part out.
type Plan struct {
	Sale     ropeline.Sale // Performances is filled in by Seed
	Event    string        // defaults to the sale's title
	Venue    string
	StartsAt time.Time // of the first
	Nights   int       // how many; 0 is one
	Seats    int       // numbered seats, in three tiers
	General  int       // general-admission places
	Tariff   tariff.Tariff
}

// tierPlan is a share of the theater's seats. Distance is how far its first
// row lies from the stage.
type tierPlan struct {
	name                 string
	percent              int
	amount               int64
	distance             float64
	center, side, growth int // seats in the first row's blocks; growth: a seat more every so many rows
}

var theater = []tierPlan{
	{name: "Stalls", percent: 50, amount: 7500, distance: 4, center: 14, side: 8, growth: 2},
	{name: "Circle", percent: 30, amount: 5500, distance: 34, center: 24, side: 13, growth: 3},
	{name: "Balcony", percent: 20, amount: 3500, distance: 50, center: 28, side: 16, growth: 4},
}

const (
	general      = "Standing"
	generalPrice = 4500
	currency     = "EUR"
	rowGap       = 1.2                // between rows, in seat widths
	tierGap      = 3.0                // between the last row of a tier and the first of the next
	aisle        = 1.5                // between blocks
	sideAngle    = 20 * math.Pi / 180 // side blocks turn toward the stage
)

// Seed makes a venue, performances there and their sale, in one transaction, and
// returns the sale's document with the performances in it.
func (s *Store) Seed(ctx context.Context, plan Plan) (sale ropeline.Sale, err error) {
	m, prices := draw(plan)
	if err := m.Validate(); err != nil {
		return ropeline.Sale{}, err
	}
	p := Program{Sale: plan.Sale, Event: plan.Event, Currency: currency, Tariff: plan.Tariff}
	for i := range max(1, plan.Nights) {
		p.Performances = append(p.Performances, Showing{StartsAt: plan.StartsAt.AddDate(0, 0, i), Prices: prices})
	}
	if err := p.validate(); err != nil {
		return ropeline.Sale{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		by := audit.Change{Who: audit.Command}
		v, _, err := keepVenue(ctx, tx, "", m, by)
		if err != nil {
			return err
		}
		for i := range p.Performances {
			p.Performances[i].Venue = v.ID
		}
		sale, err = s.makeProgram(ctx, tx, p, by)
		return err
	})
	if err != nil {
		return ropeline.Sale{}, fmt.Errorf("seeding sale %s: %w", plan.Sale.ID, err)
	}
	return sale, nil
}

// draw makes the venue of a plan, and says what it costs.
func draw(plan Plan) (venue.Map, map[string]int64) {
	m, prices := venue.Map{Format: venue.Format, Name: plan.Venue}, map[string]int64{}
	left := plan.Seats
	var before tierPlan // ends where it ends: a large one pushes those behind it away
	for i, t := range theater {
		seats := plan.Seats * t.percent / 100
		if i == len(theater)-1 {
			seats = left
		}
		left -= seats
		if seats > 0 {
			m.Categories, prices[t.name] = append(m.Categories, t.name), t.amount
			t.distance, t.center = max(t.distance, before.distance+tierGap), max(t.center, before.center)
			blocks, rows := t.blocks(seats)
			m.Sections = append(m.Sections, blocks...)
			before = tierPlan{distance: t.distance + float64(rows-1)*rowGap, center: t.center + (rows-1)/t.growth}
		}
	}
	if plan.General > 0 {
		m.Categories, prices[general] = append(m.Categories, general), generalPrice
		m.Areas = []venue.Area{{Name: general, Category: general, Places: plan.General, X: -15, Y: -8, Width: 30, Height: 8}}
	}
	return m, prices
}

// blocks fills rows of three blocks, left, center and right, until its seats are
// used up, and says how many rows that takes.
func (t tierPlan) blocks(seats int) (blocks []venue.Section, rows int) {
	all := []venue.Section{{Name: t.name + " Left", Category: t.name}, {Name: t.name + " Center", Category: t.name}, {Name: t.name + " Right", Category: t.name}}
	for ; seats > 0; rows++ {
		r := rows
		center, side := t.center+r/t.growth, t.side+r/t.growth
		y := t.distance + float64(r)*rowGap
		edge := float64(center-1)/2 + aisle // where a side block begins
		cos, sin := math.Cos(sideAngle), math.Sin(sideAngle)
		reach := float64(side - 1)
		for i, line := range []Row{
			{Count: side, rank: 3*r + 1, X: -edge - reach*cos, Y: y - reach*sin, DX: cos, DY: sin},
			{Count: center, rank: 3 * r, X: -float64(center-1) / 2, Y: y, DX: 1},
			{Count: side, rank: 3*r + 2, X: edge, Y: y, DX: cos, DY: -sin},
		} {
			row := venue.Row{Name: rowName(r), Rank: line.rank}
			for j := range min(line.Count, seats) {
				row.Seats = append(row.Seats, venue.Seat{Name: strconv.Itoa(j + 1), X: line.X + float64(j)*line.DX, Y: line.Y + float64(j)*line.DY})
			}
			if seats -= len(row.Seats); len(row.Seats) > 0 {
				all[i].Rows = append(all[i].Rows, row)
			}
		}
	}
	for _, s := range all {
		if len(s.Rows) > 0 {
			blocks = append(blocks, s)
		}
	}
	return blocks, rows
}

// rowName counts A … Z, AA, AB …
func rowName(r int) string {
	if r < 26 {
		return string(rune('A' + r))
	}
	return rowName(r/26-1) + string(rune('A'+r%26))
}
