package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/tariff"
	"github.com/ropeline/ropeline/booking/venue"
)

// Program describes a sale to make: an event, its performances at venues that
// there are, and what they cost. Its JSON is described in docs/venues.md.
type Program struct {
	Event        string        `json:"event,omitempty"` // its title; the sale's if empty
	EventID      string        `json:"event_id,omitempty" doc:"of an event that there is, whose performances these are; its title stays its own"`
	Currency     string        `json:"currency"`
	Tariff       tariff.Tariff `json:"tariff,omitzero"`   // of each performance
	Account      string        `json:"account,omitempty"` // the organizer's own at the payment provider, who is paid; empty: we are
	Performances []Showing     `json:"performances"`
	Sale         ropeline.Sale `json:"sale"` // its performances are filled in
}

// Showing is a performance to make from a venue's map.
type Showing struct {
	Venue    string        `json:"venue"`
	Version  int           `json:"version,omitempty" doc:"of its map; the newest if left out"`
	StartsAt time.Time     `json:"starts_at"`
	DoorsAt  time.Time     `json:"doors_at,omitzero"`
	EndsAt   time.Time     `json:"ends_at,omitzero"`
	Local    LocalTimes    `json:"local,omitzero" doc:"instead of these, by the clocks of the venue"`
	Prices   Prices        `json:"prices" doc:"of each category, in minor units"`
	Reserves []ReservePlan `json:"reserves,omitempty" doc:"as they are made with it"`
}

// LocalTimes are those of a performance by the clocks of its venue, as 2027-03-27T20:00.
// A time that they show twice is the first of the two.
type LocalTimes struct {
	StartsAt string `json:"starts_at,omitempty"`
	DoorsAt  string `json:"doors_at,omitempty"`
	EndsAt   string `json:"ends_at,omitempty"`
}

// Prices are those of categories, in minor units.
type Prices map[string]int64

// UnmarshalJSON refuses a price that is null. What is for nothing says 0: nobody gives a
// house away because a program of theirs had no value there.
func (p *Prices) UnmarshalJSON(text []byte) error {
	var all map[string]*int64
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*p = make(Prices, len(all))
	for _, category := range slices.Sorted(maps.Keys(all)) {
		if all[category] == nil {
			return fmt.Errorf("the price of %q is null", category)
		}
		(*p)[category] = *all[category]
	}
	return nil
}

// Refusals of a program.
var (
	ErrProgramInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "program-invalid"}
	ErrSaleExists     = &ropeline.Error{Kind: ropeline.Conflict, Code: "sale-exists", Detail: "There is a sale of this name already."}
)

// MaxAmount bounds a price, so that no sum of an order can overflow.
const MaxAmount = 1_000_000_000_000

const (
	maxShowings = 1000 // performances of one program
	maxReserves = 1000 // of one performance
	maxTitle    = 200  // characters
)

func invalidProgram(format string, args ...any) error {
	e := *ErrProgramInvalid
	e.Detail = fmt.Sprintf(format, args...) + "."
	return &e
}

// ParseProgram reads a program and refuses members that it does not know.
func ParseProgram(text []byte) (Program, error) {
	p := Program{Sale: ropeline.Sale{Version: 1}}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Program{}, invalidProgram("It cannot be read: %v", err)
	}
	if d.More() {
		return Program{}, invalidProgram("Something follows its end")
	}
	return p, p.validate()
}

func (p Program) validate() error {
	if n := len(p.Performances); n < 1 || n > maxShowings {
		return invalidProgram("There are %d performances, want 1 to %d", n, maxShowings)
	}
	if p.EventID != "" && (p.Event != "" || !booking.IsID(p.EventID)) {
		return invalidProgram("event_id must be the id of an event, whose title is not told here")
	}
	for _, text := range []string{p.Event, p.Sale.Title} {
		if !booking.IsPlain(text) || utf8.RuneCountInString(text) > maxTitle {
			return invalidProgram("event and title must have %d characters at most, that can be printed", maxTitle)
		}
	}
	for name, at := range map[string]time.Time{"lobby_closes_at": p.Sale.LobbyClosesAt, "opens_at": p.Sale.OpensAt, "ends_at": p.Sale.EndsAt} {
		if !at.IsZero() && !booking.IsTime(at) {
			return invalidProgram("%s must lie between the years 2000 and 2200", name)
		}
	}
	if !isCurrency(p.Currency) {
		return invalidProgram("currency must be three capital letters, as EUR")
	}
	if err := p.Tariff.Validate(); err != nil {
		return err
	}
	for i, s := range p.Performances {
		if s.Local == (LocalTimes{}) {
			if err := s.timesFault(i); err != nil {
				return err
			}
		} else if !s.StartsAt.IsZero() || !s.DoorsAt.IsZero() || !s.EndsAt.IsZero() {
			return invalidProgram("Performance %d: its times are told twice, once in local", i+1)
		}
		if len(s.Reserves) > maxReserves {
			return invalidProgram("Performance %d has more than %d reserves", i+1, maxReserves)
		}
		for _, category := range slices.Sorted(maps.Keys(s.Prices)) {
			if amount := s.Prices[category]; amount < 0 || amount > MaxAmount {
				return invalidProgram("Performance %d: the price of %q must lie between 0 and %d", i+1, category, int64(MaxAmount))
			}
		}
	}
	return p.Sale.Validate()
}

func isCurrency(s string) bool {
	return len(s) == 3 && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < 'A' || c > 'Z' })
}

// money puts prices to a venue's categories: to each of them, and to no other.
func (s Showing) money(v venue.Map, currency string) (map[string]booking.Money, error) {
	prices := map[string]booking.Money{}
	for _, category := range v.Categories {
		amount, ok := s.Prices[category]
		if !ok {
			return nil, invalidProgram("Category %q of %s has no price", category, v.Name)
		}
		prices[category] = booking.Money{Amount: amount, Currency: currency}
	}
	for _, category := range slices.Sorted(maps.Keys(s.Prices)) {
		if _, ok := prices[category]; !ok {
			return nil, invalidProgram("%s has no category %q", v.Name, category)
		}
	}
	return prices, nil
}

// Make makes a program's event, performances and sale, all or nothing, and returns
// the sale's document with the performances in it.
func (s *Store) Make(ctx context.Context, p Program, by audit.Change) (sale ropeline.Sale, err error) {
	if err := errors.Join(p.validate(), by.Validate(false)); err != nil {
		return ropeline.Sale{}, err
	}
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		sale, err = s.makeProgram(ctx, tx, p, by)
		return err
	})
	return sale, storeError("making sale "+string(p.Sale.ID), err)
}

func (s *Store) makeProgram(ctx context.Context, tx pgx.Tx, p Program, by audit.Change) (ropeline.Sale, error) {
	if len(p.Sale.Performances) > 0 {
		return ropeline.Sale{}, invalidProgram("sale: performances must be left out, they are made")
	}
	p, err := p.inUTC(ctx, tx)
	if err == nil {
		p, err = s.allowed(ctx, tx, p)
	}
	if err != nil {
		return ropeline.Sale{}, err
	}
	sale := p.Sale
	event, err := p.makeEvent(ctx, tx)
	if err != nil {
		return sale, err
	}
	for i, showing := range p.Performances {
		v, err := readVenue(ctx, tx, showing.Venue, showing.Version)
		if err != nil {
			return sale, err
		}
		prices, err := showing.money(v.Map, p.Currency)
		if err != nil {
			return sale, err
		}
		m, err := chart(v.Map, prices)
		if err != nil {
			return sale, err
		}
		m.Tariff, m.Account = p.Tariff, p.Account
		if err := insertShow(ctx, tx, m, event, v, showing); err != nil {
			return sale, err
		}
		if err := insertReserves(ctx, tx, m, showing.Reserves); err != nil {
			return sale, err
		}
		sale.Performances = append(sale.Performances, m.ID)
		p.Performances[i].Version = v.Version
	}
	p.Sale = sale
	if err := insertSale(ctx, tx, sale); err != nil {
		return sale, err
	}
	return sale, keepProgram(ctx, tx, p, 1, by)
}

func insertShow(ctx context.Context, tx pgx.Tx, m *Map, event string, v Venue, s Showing) error {
	var b pgx.Batch
	b.Queue(`insert into performances (id, event_id, venue_id, venue_version, starts_at, units, tariff, account, doors_at, ends_at)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9, $10)`,
		m.ID, event, v.ID, v.Version, s.StartsAt, m.Units, m.Tariff, m.Account, unlessZero(s.DoorsAt), unlessZero(s.EndsAt))
	for _, t := range m.Tiers {
		b.Queue(`insert into tiers (performance_id, id, name, kind, first_unit, units, amount, currency)
			values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			m.ID, t.ID, t.Name, t.Kind, t.First, t.Count, t.Price.Amount, t.Price.Currency)
	}
	none := []int{} // not null
	for _, r := range m.Rows {
		b.Queue(`insert into seat_rows (performance_id, first_unit, units, tier_id, section, name, rank, x, y, dx, dy,
				seats, places, accessible, companion, restricted)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			m.ID, r.First, r.Count, r.Tier, r.Section, r.Name, r.rank, r.X, r.Y, r.DX, r.DY,
			r.Seats, r.Places, append(none, r.Accessible...), append(none, r.Companion...), append(none, r.Restricted...))
	}
	return tx.SendBatch(ctx, &b).Close()
}

// insertReserves makes the reserves of a new performance: nothing of them is ever
// on sale before it is released.
func insertReserves(ctx context.Context, tx pgx.Tx, m *Map, plans []ReservePlan) error {
	if len(plans) == 0 {
		return nil
	}
	var taken []Range
	names := m.names()
	for _, plan := range plans {
		r, err := m.reserve(plan, names, taken)
		if err != nil {
			return err
		}
		if r.ID, err = booking.NewID(); err != nil {
			return err
		}
		if err := insertReserve(ctx, tx, m.ID, r); err != nil {
			return err
		}
		taken = append(taken, r.Ranges...)
	}
	return nil
}

func insertSale(ctx context.Context, tx pgx.Tx, sale ropeline.Sale) error {
	doc, err := json.Marshal(sale)
	if err != nil {
		return fmt.Errorf("writing sale document: %w", err)
	}
	_, err = tx.Exec(ctx, `insert into sales (id, version, document) values ($1, $2, $3)`, sale.ID, sale.Version, doc)
	if taken, ok := errors.AsType[*pgconn.PgError](err); ok && taken.Code == "23505" {
		return ErrSaleExists
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into sale_performances (sale_id, performance_id) select $1, unnest($2::uuid[])`, sale.ID, sale.Performances)
	return err
}
