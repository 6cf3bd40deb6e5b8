package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
)

// Plan describes a performance to make: a theater of numbered seats and a
// general-admission floor. Zero leaves a part out.
type Plan struct {
	Sale     ropeline.Sale // Performances is filled in by Seed
	Event    string        // defaults to the sale's title
	Venue    string
	StartsAt time.Time
	Seats    int // numbered seats, in three tiers
	General  int // general-admission places
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
	aisle        = 1.5                // between blocks
	sideAngle    = 20 * math.Pi / 180 // side blocks turn toward the stage
)

// Seed writes a performance, its map and its sale, in one transaction, and
// returns the sale's document with the performance in it.
func (s *Store) Seed(ctx context.Context, plan Plan) (ropeline.Sale, error) {
	m, err := draw(plan)
	if err != nil {
		return ropeline.Sale{}, err
	}
	sale := plan.Sale
	sale.Performances = []ropeline.PerformanceID{m.ID}
	if err := sale.Validate(); err != nil {
		return ropeline.Sale{}, err
	}
	doc, err := json.Marshal(sale)
	if err != nil {
		return ropeline.Sale{}, fmt.Errorf("writing sale document: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error { return insert(ctx, tx, m, sale, doc) })
	if err != nil {
		return ropeline.Sale{}, fmt.Errorf("seeding sale %s: %w", sale.ID, err)
	}
	return sale, nil
}

func insert(ctx context.Context, tx pgx.Tx, m *Map, sale ropeline.Sale, doc []byte) error {
	venue, err := booking.NewID()
	if err != nil {
		return err
	}
	event, err := booking.NewID()
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(`insert into venues (id, name) values ($1, $2)`, venue, m.Venue)
	b.Queue(`insert into events (id, title) values ($1, $2)`, event, m.Title)
	b.Queue(`insert into performances (id, event_id, venue_id, starts_at, units) values ($1, $2, $3, $4, $5)`,
		m.ID, event, venue, m.StartsAt, m.Units)
	for _, t := range m.Tiers {
		b.Queue(`insert into tiers (performance_id, id, name, kind, first_unit, units, amount, currency)
			values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			m.ID, t.ID, t.Name, t.Kind, t.First, t.Count, t.Price.Amount, t.Price.Currency)
	}
	for _, r := range m.Rows {
		b.Queue(`insert into seat_rows (performance_id, first_unit, units, tier_id, section, name, rank, x, y, dx, dy)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			m.ID, r.First, r.Count, r.Tier, r.Section, r.Name, r.rank, r.X, r.Y, r.DX, r.DY)
	}
	b.Queue(`insert into sales (id, version, document) values ($1, $2, $3)`, sale.ID, sale.Version, doc)
	b.Queue(`insert into sale_performances (sale_id, performance_id) values ($1, $2)`, sale.ID, m.ID)
	return tx.SendBatch(ctx, &b).Close()
}

// draw makes the map of a plan.
func draw(plan Plan) (*Map, error) {
	id, err := booking.NewID()
	if err != nil {
		return nil, err
	}
	m := &Map{ID: ropeline.PerformanceID(id), Sale: plan.Sale.ID, Title: plan.Event, Venue: plan.Venue, StartsAt: plan.StartsAt}
	if m.Title == "" {
		m.Title = plan.Sale.Title
	}
	left := plan.Seats
	for i, t := range theater {
		seats := plan.Seats * t.percent / 100
		if i == len(theater)-1 {
			seats = left
		}
		left -= seats
		if err := m.addTier(t.name, Seated, t.amount, seats); err != nil {
			return nil, err
		}
		if seats > 0 {
			m.addRows(t)
		}
	}
	if err := m.addTier(general, General, generalPrice, plan.General); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Map) addTier(name, kind string, amount int64, units int) error {
	if units <= 0 {
		return nil
	}
	id, err := booking.NewID()
	if err != nil {
		return err
	}
	m.Tiers = append(m.Tiers, Tier{ID: id, Name: name, Kind: kind, First: m.Units, Count: units,
		Price: booking.Money{Amount: amount, Currency: currency}})
	m.Units += units
	return nil
}

// addRows fills the last tier with rows of three blocks, left, center and
// right, until its seats are used up.
func (m *Map) addRows(plan tierPlan) {
	t := m.Tiers[len(m.Tiers)-1]
	next, end := t.First, t.First+t.Count
	for r := 0; next < end; r++ {
		center, side := plan.center+r/plan.growth, plan.side+r/plan.growth
		y := plan.distance + float64(r)*rowGap
		edge := float64(center-1)/2 + aisle // where a side block begins
		cos, sin := math.Cos(sideAngle), math.Sin(sideAngle)
		reach := float64(side - 1)
		blocks := []Row{
			{Section: t.Name + " Left", Count: side, rank: 3*r + 1, X: -edge - reach*cos, Y: y - reach*sin, DX: cos, DY: sin},
			{Section: t.Name + " Center", Count: center, rank: 3 * r, X: -float64(center-1) / 2, Y: y, DX: 1},
			{Section: t.Name + " Right", Count: side, rank: 3*r + 2, X: edge, Y: y, DX: cos, DY: -sin},
		}
		for _, row := range blocks {
			row.Name, row.Tier, row.First, row.Count = rowName(r), t.ID, next, min(row.Count, end-next)
			if row.Count > 0 {
				m.Rows = append(m.Rows, row)
				next += row.Count
			}
		}
	}
}

// rowName counts A … Z, AA, AB …
func rowName(r int) string {
	if r < 26 {
		return string(rune('A' + r))
	}
	return rowName(r/26-1) + string(rune('A'+r%26))
}
